"""grpc.reflection: lets clients read the contract from the server. Ends its streams when draining."""

from collections.abc import AsyncIterator
from typing import Final

import grpc
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection, reflection_pb2  # type: ignore[import-untyped]

from order_engine.api.drain import Drain

V1_SERVICE_NAME: Final = "grpc.reflection.v1.ServerReflection"


class Reflection(reflection.aio.ReflectionServicer):  # type: ignore[misc]
    """Serves v1alpha. v1 has the same messages under another name: `v1_handler`."""

    def __init__(self, services: tuple[str, ...], drain: Drain) -> None:
        super().__init__(services, _Pool())
        self._drain = drain

    async def ServerReflectionInfo(
        self, request_iterator: AsyncIterator[object], context: object
    ) -> AsyncIterator[object]:
        replies = super().ServerReflectionInfo(request_iterator, context)
        async for reply in self._drain.interrupting(replies):
            yield reply

    def v1_handler(self) -> grpc.GenericRpcHandler:
        """Return the handler that answers clients which only know the newer name."""
        method = grpc.stream_stream_rpc_method_handler(
            self.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(V1_SERVICE_NAME, {"ServerReflectionInfo": method})


class _Pool:
    """The default pool, which also finds the file of a method: the protocol allows `package.Service.Method`."""

    def __init__(self) -> None:
        self._pool = descriptor_pool.Default()

    def __getattr__(self, name: str) -> object:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> object:
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            service, _, method = symbol.rpartition(".")
            if method not in self._pool.FindServiceByName(service).methods_by_name:
                raise
            return self._pool.FindFileContainingSymbol(service)
