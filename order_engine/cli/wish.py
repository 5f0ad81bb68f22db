"""What a person wants swapped, as the command line says it, and as the engine takes it."""

from dataclasses import dataclass
from typing import Final

import grpc

from order_engine.cli.amounts import from_base_units, from_tokens
from order_engine.cli.client import BadUsage
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb

HOW_MUCH: Final = "say how much: AMOUNT is what is paid, --receive AMOUNT what is got; give one of them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A swap in people's words. Bounds are None where nothing was said."""

    token_in: str
    token_out: str
    pay: str | None
    receive: str | None
    in_base_units: bool
    slippage_bps: int | None
    max_price_impact_bps: int | None
    max_total_fee_lamports: int | None
    max_quote_age_slots: int | None

    def __post_init__(self) -> None:
        """Raise BadUsage unless exactly one amount is named."""
        if (self.pay is None) == (self.receive is None):
            raise BadUsage(HOW_MUCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """In base units; the one that the engine is to find is 0."""

    swap_mode: pb.SwapMode.ValueType
    amount_in: int = 0
    amount_out: int = 0


async def amounts(tokens: TokenBook, wish: Wish) -> Amounts:
    """Return the exact amount in base units.

    Raises:
        BadAmount: it is none.
        BadUsage: the decimals of its token are not known.
        AioRpcError: its token is no token at all.
    """
    if wish.receive is not None:
        amount_out = await _base_units(tokens, wish.token_out, wish.receive, wish.in_base_units)
        return Amounts(swap_mode=pb.SWAP_MODE_EXACT_OUT, amount_out=amount_out)
    amount_in = await _base_units(tokens, wish.token_in, wish.pay or "", wish.in_base_units)
    return Amounts(swap_mode=pb.SWAP_MODE_EXACT_IN, amount_in=amount_in)


def quote_request(wish: Wish, exact: Amounts) -> pb.GetQuoteRequest:
    return pb.GetQuoteRequest(
        token_in=wish.token_in,
        token_out=wish.token_out,
        swap_mode=exact.swap_mode,
        amount_in=exact.amount_in,
        amount_out=exact.amount_out,
        slippage_bps=wish.slippage_bps,
        max_price_impact_bps=wish.max_price_impact_bps,
        max_total_fee_lamports=wish.max_total_fee_lamports,
        max_quote_age_slots=wish.max_quote_age_slots,
    )


def order_request(wish: Wish, exact: Amounts, request_id: str, client_order_id: str) -> pb.SubmitOrderRequest:
    return pb.SubmitOrderRequest(
        request_id=request_id,
        client_order_id=client_order_id,
        token_in=wish.token_in,
        token_out=wish.token_out,
        swap_mode=exact.swap_mode,
        amount_in=exact.amount_in,
        amount_out=exact.amount_out,
        slippage_bps=wish.slippage_bps,
        max_price_impact_bps=wish.max_price_impact_bps,
        max_total_fee_lamports=wish.max_total_fee_lamports,
        max_quote_age_slots=wish.max_quote_age_slots,
    )


async def _base_units(tokens: TokenBook, token: str, text: str, in_base_units: bool) -> int:
    if in_base_units:
        return from_base_units(text)
    try:
        known = await tokens.find(token)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            raise BadUsage(f"{error.details()}: its decimals are not known, so give --base-units") from error
        raise
    return from_tokens(text, known.decimals, known.symbol or token)
