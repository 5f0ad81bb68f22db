"""OrderService and QuoteService: from message to use case and back. What they raise becomes a status in the guard."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from order_engine.api import translate
from order_engine.api.drain import Drain
from order_engine.api.explanation import cancellation_message, explanation_message, quote_message
from order_engine.api.interceptors.behavior import Context
from order_engine.api.listing import list_terms, page_message
from order_engine.api.refusals import Draining
from order_engine.api.services import Services
from order_engine.domain.order import LOCAL_OWNER
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as pb_grpc


class OrderService(pb_grpc.OrderServiceServicer):
    def __init__(self, services: Services, drain: Drain) -> None:
        self._services = services
        self._drain = drain

    async def SubmitOrder(self, request: pb.SubmitOrderRequest, context: Context) -> pb.SubmitOrderResponse:
        terms = translate.order_terms(request, LOCAL_OWNER)
        order = await self._services.submit_order(terms)
        return pb.SubmitOrderResponse(order_id=str(order.order_id), order=translate.order_message(order))

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.Order:
        order = await self._services.get_order(translate.order_id(request.order_id), LOCAL_OWNER)
        return translate.order_message(order)

    async def StreamOrderStatus(
        self, request: pb.StreamOrderStatusRequest, context: Context
    ) -> AsyncIterator[pb.OrderStatusUpdate]:
        order_id = translate.order_id(request.order_id)
        last_sequence = request.after_sequence
        events = self._services.stream_order_status(order_id, LOCAL_OWNER, last_sequence)
        async with aclosing(events), aclosing(self._drain.interrupting(events)) as following:
            try:
                async for event in following:
                    yield translate.update_message(event)
                    last_sequence = event.sequence
            except Draining as error:
                raise Draining(error.message, last_sequence=str(last_sequence)) from None

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        page = await self._services.list_orders(*list_terms(request, LOCAL_OWNER))
        return page_message(page)

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.CancelOrderResponse:
        cancellation = await self._services.cancel_order(translate.order_id(request.order_id), LOCAL_OWNER)
        return cancellation_message(cancellation)

    async def ExplainOrder(self, request: pb.ExplainOrderRequest, context: Context) -> pb.ExplainOrderResponse:
        explanation = await self._services.explain_order(translate.order_id(request.order_id), LOCAL_OWNER)
        return explanation_message(explanation)


class QuoteService(pb_grpc.QuoteServiceServicer):
    def __init__(self, services: Services) -> None:
        self._services = services

    async def GetQuote(self, request: pb.GetQuoteRequest, context: Context) -> pb.GetQuoteResponse:
        get_quote = self._services.get_quote
        swap = translate.quote_terms(request, get_quote.default_slippage_bps)
        return quote_message(await get_quote(swap))
