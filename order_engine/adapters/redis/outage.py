"""One line in the log when Redis stops answering, and one when it is back, however many calls fail in between."""

import structlog

logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class Outage:
    def __init__(self, of: str) -> None:
        self._of = of
        self._lasting = False

    def began(self, error: Exception) -> None:
        if not self._lasting:
            self._lasting = True
            logger.warning("redis_unavailable", of=self._of, error=f"{type(error).__name__}: {error}")

    def over(self) -> None:
        if self._lasting:
            self._lasting = False
            logger.info("redis_available", of=self._of)
