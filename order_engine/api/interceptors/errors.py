"""The outermost layer: every failure becomes a status of ours, and every RPC one line in the log."""

import asyncio
import time
from uuid import uuid4

import grpc
import structlog

from order_engine.api.interceptors.behavior import Behavior, Context
from order_engine.api.refusals import QuotaExceeded
from order_engine.api.status import Answer, internal, is_bug, refusal
from order_engine.domain.errors import EngineError

_log = structlog.get_logger(__name__)

# Ours to look after, not the caller's mistake.
_WORTH_A_WARNING = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
)


def reported(method: str, behavior: Behavior) -> Behavior:
    """Answer for whatever `behavior` raises. A bug's text stays in the log, under the id that the caller gets."""

    async def call(request: object, context: Context) -> object:
        started = time.perf_counter()
        try:
            response = await behavior(request, context)
        except asyncio.CancelledError:
            # Always passed on: a handler that swallows it leaks its call.
            _log.debug("rpc_cancelled", method=method, duration_ms=_since(started))
            raise
        except grpc.aio.BaseError:
            raise  # the call itself is over: there is nobody to answer
        except Exception as error:  # noqa: BLE001 - nothing else stands between a bug and the wire
            answer = _answer(method, started, error)
        else:
            _log.debug("rpc_finished", method=method, duration_ms=_since(started))
            return response
        return await context.abort(answer.code, answer.message, answer.trailing_metadata)

    return call


def _answer(method: str, started: float, error: Exception) -> Answer:
    if not isinstance(error, EngineError) or is_bug(error):
        correlation_id = uuid4().hex
        _log.error("rpc_failed", method=method, correlation_id=correlation_id, exc_info=error)
        return internal(correlation_id)
    answer = refusal(error)
    limited = isinstance(error, QuotaExceeded)  # told by the quotas, less often
    log = _log.warning if answer.code in _WORTH_A_WARNING and not limited else _log.debug
    log("rpc_refused", method=method, code=answer.code.name, error=error.message, duration_ms=_since(started))
    return answer


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
