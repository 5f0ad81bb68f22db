"""The engine's own doors: gRPC and the HTTP bridge."""

from __future__ import annotations

from http import HTTPStatus

import aiohttp
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from order_engine.cli.doctor.examination import Check, Subject, bad, good, idle


async def check_grpc(subject: Subject) -> Check:
    where = subject.grpc_target
    async with grpc.aio.insecure_channel(where) as channel:
        try:
            reply = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=subject.timeout_seconds
            )
        except grpc.aio.AioRpcError as error:
            return _grpc_refused(error, subject)
    if reply.status == health_pb2.HealthCheckResponse.SERVING:
        return good("gRPC", f"{where} is serving")
    return bad("gRPC", f"{where} takes no new work: its database is away, or it is stopping", "see the database above")


def _grpc_refused(error: grpc.aio.AioRpcError, subject: Subject) -> Check:
    where = subject.grpc_target
    if error.code() is grpc.StatusCode.UNAVAILABLE and not subject.must_answer:
        return idle("gRPC", f"nothing at {where}: order-engine up, or order-engine api")
    mend = "start it: order-engine api; or say where it is: GRPC_TARGET"
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        mend = "another program answers there: correct GRPC_TARGET or GRPC_PORT"
    return bad("gRPC", f"{where}: {error.code().name}", mend)


async def check_http(subject: Subject) -> Check:
    url = f"{subject.http_url}/healthz"
    try:
        status, text = await _get(url, subject.timeout_seconds)
    except aiohttp.ClientConnectorError:
        if subject.http or subject.is_up:
            return bad("HTTP bridge", f"nothing at {subject.http_url}", "order-engine gateway")
        return idle("HTTP bridge", f"nothing at {subject.http_url}: order-engine gateway")
    except (aiohttp.ClientError, TimeoutError) as error:
        return bad("HTTP bridge", f"{url}: {type(error).__name__}", "correct --http or PORT, then order-engine gateway")
    if status == HTTPStatus.OK and "SERVING" in text:
        return good("HTTP bridge", f"{subject.http_url} is serving")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return bad(
            "HTTP bridge", f"{subject.http_url} does not reach the engine", "start the engine, or set GRPC_TARGET"
        )
    return bad("HTTP bridge", f"{url} answers {status}", "another program answers there: set PORT")


async def answers_as_papernet(port: int, timeout_seconds: float) -> bool:
    """Say whether our paper network listens on a port of this machine."""
    try:
        status, _ = await _get(f"http://127.0.0.1:{port}/health", timeout_seconds)
    except (aiohttp.ClientError, TimeoutError):
        return False
    return status == HTTPStatus.OK


async def _get(url: str, timeout_seconds: float) -> tuple[int, str]:
    limit = aiohttp.ClientTimeout(total=timeout_seconds)
    async with (
        aiohttp.ClientSession(timeout=limit, trust_env=False) as session,
        session.get(url, allow_redirects=False) as reply,
    ):
        return reply.status, await reply.text(errors="replace")
