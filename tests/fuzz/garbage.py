"""Bytes on a bare connection: HTTP/1.1, WebSocket and HTTP/2 that are nearly right, or nothing at all."""

import re
import socket
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.fuzz.fuzzing import Door, Target
from tests.fuzz.words import Words

_CONNECT_SECONDS: Final = 20.0
_SILENCE_SECONDS: Final = 0.3
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_TLS: Final = bytes.fromhex("16030100") + b"\xc8\x01\x00\x00\xc4\x03\x03" + b"r" * 200
_UPGRADE: Final = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
_METHODS: Final = (
    b"GET",
    b"POST",
    b"PUT",
    b"DELETE",
    b"TRACE",
    b"HEAD",
    b"OPTIONS",
    b"CONNECT",
    b"PRI",
    b"get",
    b"\x00",
)
_TARGETS: Final = (
    *(b"/v1/orders", b"/api/orders/execute", b"/healthz", b"/docs", b"*", b"//", b"/%", b"/%zz", b"/%00", b"/\xff"),
    *(
        b"http://elsewhere/v1/orders",
        b"/v1/orders?%ff=%fe&a",
        b"/?" + b"a=b&" * 2_000,
        b"/" + b"x" * 70_000,
        b"",
        b"/ /",
    ),
    *(b"/v1/orders/\xc3\x28/stream", b"/v1/quote?amountIn=\x80", b"/v1/orders?pageSize=%F0%9F%92%B8"),
)
_HEADERS: Final = (
    *(b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999999999999999"),
    *(b"Content-Length: 3\r\nContent-Length: 4", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked"),
    *(
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Expect: 100-continue",
        b"Upgrade: h2c",
        b"Connection: close",
    ),
    *(b"Origin: null", b"Origin: http://[::1", b"Origin: \xff", b"Accept: \xff", b"Last-Event-ID: \xff\xff"),
    *(b"Grpc-Timeout: 1H", b"Grpc-Timeout: 1X", b"Grpc-Timeout: 99999999H", b"Grpc-Metadata-X-Bin: \xff", b"No colon"),
    *(
        b"Grpc-Metadata-\xff: a",
        b"Grpc-Metadata-A: \x01",
        b"Authorization: \xc3\xa9",
        b": empty",
        b"A\x00B: c",
        b"\tFolded",
    ),
    *(b"X-Forwarded-For: " + b"1.2.3.4, " * 500, b"Idempotency-Key: \x7f", b"X: " + b"y" * 70_000, b"Host: \xff"),
)
_HANDSHAKE_HEADERS: Final = (
    *(b"", b"", b"Origin: x\r\n", b"Sec-WebSocket-Extensions: permessage-deflate; \xff\r\n"),
    *(b"Sec-WebSocket-Protocol: Bearer\r\n", b"Sec-WebSocket-Protocol: Bearer, \x01\r\n"),
)
_PAYLOADS: Final = (
    b"",
    b"{}",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"zz\r\n",
    b"ffffffffffffffff\r\n",
    b"-1\r\n",
    b"\x00" * 100,
)


def garbage_doors(http_port: int, grpc_port: int, words: Words) -> list[Door]:
    def http(sent: bytes) -> str:
        return _answer(http_port, sent)

    def grpc(sent: bytes) -> str:
        return _answer(grpc_port, sent)

    return [
        Target("http connection requests", _requests(), http),
        Target("http connection websockets", _websockets(words), http),
        Target("http connection bytes", _noise(), http),
        Target("grpc connection frames", _frames(), grpc),
        Target("grpc connection bytes", st.one_of(_noise(), _requests()), grpc),
    ]


def _answer(port: int, sent: bytes) -> str:
    """Send, close our half, and read until nothing more comes. What HTTP answers must not be the server's fault."""
    with socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_SECONDS) as connection:
        received = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(_SILENCE_SECONDS)
            while chunk := connection.recv(65_536):
                received += chunk
        except TimeoutError:
            return _said(received, "open")
        except OSError:
            return _said(received, "reset")
        return _said(received, "closed")


def _said(received: bytes, ended: str) -> str:
    statuses = [int(status) for status in _STATUS.findall(received)]
    assert all(status < 500 for status in statuses), received[:2_000]
    return f"{statuses[0]}" if statuses else ended


def _noise() -> SearchStrategy[bytes]:
    return st.one_of(st.binary(max_size=300), st.sampled_from((_TLS, _PREFACE, b"\r\n" * 1_000, b"\x00" * 70_000, b"")))


@st.composite
def _requests(draw: DrawFn) -> bytes:
    """One request, or several in one go; some have a few bytes changed."""
    sent = bytearray()
    for _ in range(draw(st.integers(1, 3))):
        head = [draw(st.sampled_from(_METHODS)) + b" " + draw(st.sampled_from(_TARGETS)) + b" HTTP/1.1", b"Host: a"]
        head += draw(st.lists(st.sampled_from(_HEADERS), max_size=3))
        sent += b"\r\n".join(head) + b"\r\n\r\n" + draw(st.sampled_from(_PAYLOADS))
    for place in draw(st.lists(st.integers(0, 300), max_size=2)):
        sent[place % len(sent)] = draw(st.integers(0, 255))
    return bytes(sent)


@st.composite
def _websockets(draw: DrawFn, words: Words) -> bytes:
    """A handshake, mostly good, and frames that mean nothing."""
    prefix = draw(st.sampled_from((b"/api/orders/", b"/v1/orders/")))
    order_id = draw(st.sampled_from(words.order_ids)).encode()
    key = draw(st.sampled_from((b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZQ==", b"short", b"")))
    more = draw(st.sampled_from(_HANDSHAKE_HEADERS))
    head = b"GET " + prefix + order_id + b"/stream HTTP/1.1\r\nHost: a\r\n" + _UPGRADE + more
    frames = draw(st.lists(_websocket_frame(), max_size=3))
    return head + b"Sec-WebSocket-Key: " + key + b"\r\n\r\n" + b"".join(frames)


def _websocket_frame() -> SearchStrategy[bytes]:
    lengths = st.sampled_from((b"\x80", b"\x85", b"\xfe\xff\xff", b"\xff" + b"\xff" * 8, b"\x05"))
    return st.tuples(st.binary(min_size=1, max_size=1), lengths, st.binary(max_size=40)).map(b"".join)


@st.composite
def _frames(draw: DrawFn) -> bytes:
    """HTTP/2: the preface, good settings, then frames of any type, flags, stream and length."""
    frames = draw(st.lists(_frame(), min_size=1, max_size=6))
    return _PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"".join(frames)


@st.composite
def _frame(draw: DrawFn) -> bytes:
    payload = draw(st.binary(max_size=60))
    length = draw(st.sampled_from((len(payload), len(payload), 0, 16_385, 2**24 - 1)))
    kind, flags, stream = draw(st.integers(0, 12)), draw(st.integers(0, 255)), draw(st.integers(0, 2**32 - 1))
    return length.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
