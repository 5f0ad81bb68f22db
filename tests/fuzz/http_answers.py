"""What may come back over HTTP, whatever was asked: frames of a stream, and the two shapes of an error."""

from collections.abc import Iterator, Mapping
from typing import Final, cast

import orjson
import requests

ANSWER_WITHIN_SECONDS: Final = 20.0  # the machine under test may be busy
IDLE_SECONDS: Final = 3.0  # a stream that says nothing for so long is left open
_AT_MOST: Final = 500  # frames of one stream


def check_error(status: int, body: object) -> None:
    """Check the error of an RPC: a google.rpc.Status with a detail for each thing the client got wrong."""
    assert isinstance(body, dict), body
    assert set(body) == {"code", "message", "details"}, body
    assert isinstance(body["code"], int), body
    assert body["message"], body
    assert isinstance(body["details"], list), body
    if status == 400 and body["details"]:
        assert body["details"][0]["domain"] == "order-engine", body


def check_classic_error(body: object) -> None:
    assert isinstance(body, dict), body
    assert set(body) == {"error"}, body
    assert isinstance(body["error"], str), body
    assert body["error"], body


def stream_kind(response: requests.Response) -> str:
    return "200-events" if "event-stream" in response.headers["content-type"] else "200-lines"


def frames_of(response: requests.Response) -> Iterator[Mapping[str, object]]:
    """Yield the frames of an NDJSON or SSE answer until it ends or says nothing more for a while."""
    events = stream_kind(response) == "200-events"
    assert events or response.headers["content-type"] == "application/x-ndjson", response.headers
    try:
        for number, line in enumerate(response.iter_lines()):
            assert number < _AT_MOST, "the stream does not end"
            payload = _payload(line, events=events)
            if payload:
                yield cast("Mapping[str, object]", orjson.loads(payload))
    except requests.ConnectionError:  # nothing came in time: the stream is open
        return


def _payload(line: bytes, *, events: bool) -> bytes:
    """Return the JSON of a line, empty when it holds none."""
    if not events:
        return line
    name, _, value = line.partition(b": ")
    assert name in (b"", b"id", b"data"), line
    return value if name == b"data" else b""
