"""The use cases behind the RPCs, each a callable."""

from dataclasses import dataclass

from order_engine.usecases.cancel_order import CancelOrder
from order_engine.usecases.explain_order import ExplainOrder
from order_engine.usecases.get_order import GetOrder
from order_engine.usecases.get_quote import GetQuote
from order_engine.usecases.get_token import GetToken
from order_engine.usecases.list_orders import ListOrders
from order_engine.usecases.list_tokens import ListTokens
from order_engine.usecases.stream_order_status import StreamOrderStatus
from order_engine.usecases.submit_order import SubmitOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    submit_order: SubmitOrder
    get_order: GetOrder
    list_orders: ListOrders
    cancel_order: CancelOrder
    explain_order: ExplainOrder
    stream_order_status: StreamOrderStatus
    get_quote: GetQuote
    get_token: GetToken
    list_tokens: ListTokens
