"""grpc.reflection: lets clients read the contract from the server. Ends its streams when draining."""

from collections.abc import AsyncIterator

from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]

from order_engine.api.drain import Drain


class Reflection(reflection.aio.ReflectionServicer):  # type: ignore[misc]
    def __init__(self, services: tuple[str, ...], drain: Drain) -> None:
        super().__init__(services)
        self._drain = drain

    async def ServerReflectionInfo(
        self, request_iterator: AsyncIterator[object], context: object
    ) -> AsyncIterator[object]:
        replies = super().ServerReflectionInfo(request_iterator, context)
        async for reply in self._drain.interrupting(replies):
            yield reply
