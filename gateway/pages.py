"""The bridge's own pages: the OpenAPI document, and a page that shows it without loading anything from elsewhere."""

from pathlib import Path
from typing import Final

from google.protobuf.descriptor import FileDescriptor

import protos
from gateway.http import Reply, Request
from gateway.openapi import Comments, Json, openapi_document

API_VERSION: Final = "0.1.0"
_POLICY: Final = b"default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_DOCS: Final = Path(__file__).with_name("static") / "docs.html"


class Pages:
    def __init__(self, file: FileDescriptor) -> None:
        root = Path(next(iter(protos.__path__))).parent
        self._document: Json = openapi_document(file, Comments.of(file, root), "Order engine", API_VERSION)
        self._docs = _DOCS.read_bytes()

    async def openapi(self, request: Request) -> Reply:
        return Reply(200, self._document)

    async def docs(self, request: Request) -> None:
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(self._docs)).encode()),
            (b"content-security-policy", _POLICY),
            (b"x-content-type-options", b"nosniff"),
        ]
        body = b"" if request.scope["method"] == "HEAD" else self._docs
        await request.send({"type": "http.response.start", "status": 200, "headers": headers})
        await request.send({"type": "http.response.body", "body": body})
