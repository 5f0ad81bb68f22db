"""Amounts, updates and refusals in words, for both examples. Amounts are integers in base units until printed."""

from decimal import Decimal, InvalidOperation
from itertools import groupby

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status  # type: ignore[import-untyped]

from protos.order_engine.v1 import order_service_pb2 as pb


def base_units(amount: str, token: pb.Token) -> int:
    """Read whole tokens, such as "0.1". Never by way of a float: 0.1 has no exact one.

    Raises:
        ValueError: not a number, or more decimals than the token has.
    """
    try:
        units = Decimal(amount).scaleb(token.decimals)
    except InvalidOperation:
        raise ValueError(f"{amount} is not a number") from None
    if not units.is_finite() or units != int(units):
        raise ValueError(f"{amount}: {token.symbol} has {token.decimals} decimals")
    return int(units)


def tokens(units: int, token: pb.Token) -> str:
    return f"{Decimal(units).scaleb(-token.decimals):f} {token.symbol or token.mint}"


def describe(update: pb.OrderStatusUpdate, paid: pb.Token, bought: pb.Token) -> str:
    status = pb.OrderStatus.Name(update.status).removeprefix("ORDER_STATUS_").lower()
    return f"{update.sequence:>3}  {status:<10} {_detail(update, paid, bought)}".rstrip()


def _detail(update: pb.OrderStatusUpdate, paid: pb.Token, bought: pb.Token) -> str:
    match update.WhichOneof("detail"):
        case "route":
            route = update.route
            quoted = f"{tokens(route.amount_in, paid)} for {tokens(route.amount_out, bought)}"
            bounds = f"{tokens(route.max_amount_in, paid)} at most, {tokens(route.min_amount_out, bought)} at least"
            return f"{pools(route)}: {quoted}; {bounds}"
        case "transaction":
            return update.transaction.signature
        case "fill":
            fill = update.fill
            swapped = f"{tokens(fill.amount_in, paid)} for {tokens(fill.amount_out, bought)}"
            return f"{swapped}, fee {fill.fee_lamports} lamports"
        case "failure":
            return f"{update.failure.reason}: {update.failure.message}"
        case "retry":
            return f"attempt {update.attempt} failed, the next one follows: {update.retry.cause.message}"
        case "cancel_requested":
            return "cancel requested"
    return ""


def pools(route: pb.Route) -> str:
    """Name the venues: those with " + " between them share a hop, ", then" begins the next one."""
    hops = groupby(route.legs, key=lambda leg: (leg.token_in, leg.token_out))
    return ", then ".join(" + ".join(leg.venue for leg in legs) for _, legs in hops)


def refusal(error: grpc.RpcError) -> str:
    """Say why the engine refused. `reason` is stable, for programs; the message is for people."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    reasons = [info.reason for detail in (status.details if status else ()) if detail.Unpack(info)]
    return f"{reasons[0] if reasons else error.code().name}: {error.details()}"
