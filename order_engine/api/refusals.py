"""What only the server itself refuses: none of these is about an order."""

from order_engine.domain.errors import EngineError, Unavailable


class NotServed(EngineError):
    """The contract names the RPC, this version does not serve it."""

    code = "UNIMPLEMENTED"


class UnknownService(EngineError):
    code = "SERVICE_UNKNOWN"


class DeadlineExceeded(EngineError):
    code = "DEADLINE_EXCEEDED"


class SlowReader(EngineError):
    """The caller does not read its stream: it is cut off and may resume by sequence."""

    code = "SLOW_READER"


class Draining(Unavailable):
    """This process is stopping: try again, another one answers."""

    code = "DRAINING"
