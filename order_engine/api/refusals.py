"""What only the server itself refuses: none of these is about an order."""

from datetime import timedelta

from order_engine.domain.errors import EngineError, Unavailable


class UnknownService(EngineError):
    code = "SERVICE_UNKNOWN"


class DeadlineExceeded(EngineError):
    code = "DEADLINE_EXCEEDED"


class SlowReader(EngineError):
    """The caller does not read its stream: it is cut off and may resume by sequence."""

    code = "SLOW_READER"


class QuotaExceeded(EngineError):
    """One client has, or asks for, more than its share: it may come again after `retry_after`."""

    retryable = True

    def __init__(self, message: str, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimitExceeded(QuotaExceeded):
    code = "RATE_LIMIT_EXCEEDED"


class StreamLimitExceeded(QuotaExceeded):
    code = "STREAM_LIMIT_EXCEEDED"


class Draining(Unavailable):
    """This process is stopping: try again, another one answers."""

    code = "DRAINING"
