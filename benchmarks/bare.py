"""The floor: a grpc.aio server that answers every submit and every stream with the same ready-made messages."""

import sys
from collections.abc import AsyncIterator

import grpc
import uvloop
from google.protobuf.timestamp_pb2 import Timestamp

from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc

_ID = "0199d3f0-0000-7000-8000-000000000000"
_STATUSES = (
    pb.ORDER_STATUS_PENDING,
    pb.ORDER_STATUS_ROUTING,
    pb.ORDER_STATUS_BUILDING,
    pb.ORDER_STATUS_SUBMITTED,
    pb.ORDER_STATUS_CONFIRMED,
)


class Bare(rpc.OrderServiceServicer):
    async def SubmitOrder(self, request: object, context: object) -> pb.SubmitOrderResponse:  # noqa: N802
        return pb.SubmitOrderResponse(order_id=_ID, order=pb.Order(order_id=_ID, amount_in=1_000_000))

    async def StreamOrderStatus(  # noqa: N802
        self, request: object, context: object
    ) -> AsyncIterator[pb.OrderStatusUpdate]:
        now = Timestamp()
        now.GetCurrentTime()
        for sequence, status in enumerate(_STATUSES, 1):
            yield pb.OrderStatusUpdate(order_id=_ID, sequence=sequence, status=status, event_time=now)


async def main() -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    rpc.add_OrderServiceServicer_to_server(Bare(), server)  # type: ignore[abstract] # the rest is UNIMPLEMENTED
    sys.stdout.write(f"{server.add_insecure_port('127.0.0.1:0')}\n")
    sys.stdout.flush()
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(main())
