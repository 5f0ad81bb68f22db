"""What a swap may ask for, the same in an order and in a quote: modes, amounts, guards."""

from collections.abc import Callable

import pytest

from order_engine.api import translate
from order_engine.domain.errors import InvalidOrder
from order_engine.domain.order import LOCAL_OWNER
from order_engine.domain.route import Guards, SwapMode
from protos.order_engine.v1 import order_service_pb2 as pb

U64_MAX, U32_MAX = 2**64 - 1, 2**32 - 1
EXACT_IN, EXACT_OUT = pb.SWAP_MODE_EXACT_IN, pb.SWAP_MODE_EXACT_OUT
UNKNOWN_SWAP_MODES = (3, 99, 2**31 - 1, -1)

Asked = pb.SubmitOrderRequest | pb.GetQuoteRequest
Read = tuple[SwapMode, int, int, int | None, Guards]  # mode, amount in, amount out, slippage, guards


def read_order(**fields: int) -> Read:
    request = pb.SubmitOrderRequest(token_in="SOL", token_out="USDC", **fields)  # type: ignore[arg-type]
    terms = translate.order_terms(request, LOCAL_OWNER)
    return terms.swap_mode, terms.amount_in, terms.amount_out, terms.slippage_bps, terms.guards


def read_quote(**fields: int) -> Read:
    request = pb.GetQuoteRequest(token_in="SOL", token_out="USDC", **fields)  # type: ignore[arg-type]
    swap = translate.quote_terms(request, default_slippage_bps=50)
    spends = swap.swap_mode is SwapMode.EXACT_IN
    return swap.swap_mode, swap.amount * spends, swap.amount * (not spends), swap.slippage_bps, swap.guards


DOORS = pytest.mark.parametrize("read", [read_order, read_quote])
Reader = Callable[..., Read]


def refused_fields(read: Reader, **fields: int) -> list[str]:
    with pytest.raises(InvalidOrder) as refused:
        read(**fields)
    return [field for field, _ in refused.value.violations]


@DOORS
@pytest.mark.parametrize("mode", [{}, {"swap_mode": pb.SWAP_MODE_UNSPECIFIED}, {"swap_mode": EXACT_IN}])
@pytest.mark.parametrize("amount", [1, U64_MAX])
def test_without_a_mode_the_amount_in_is_exact(read: Reader, mode: dict[str, int], amount: int) -> None:
    assert read(**mode, amount_in=amount)[:3] == (SwapMode.EXACT_IN, amount, 0)


@DOORS
@pytest.mark.parametrize("amount", [1, U64_MAX])
def test_exact_out_takes_the_amount_out(read: Reader, amount: int) -> None:
    assert read(swap_mode=EXACT_OUT, amount_out=amount)[:3] == (SwapMode.EXACT_OUT, 0, amount)


@DOORS
@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({}, ["amount_in"]),
        ({"amount_out": 5}, ["amount_out", "amount_in"]),
        ({"amount_in": 5, "amount_out": 5}, ["amount_out"]),
        ({"amount_in": 5, "amount_out": U64_MAX}, ["amount_out"]),
        ({"swap_mode": EXACT_OUT}, ["amount_out"]),
        ({"swap_mode": EXACT_OUT, "amount_in": 5}, ["amount_in", "amount_out"]),
        ({"swap_mode": EXACT_OUT, "amount_in": 5, "amount_out": 5}, ["amount_in"]),
    ],
)
def test_an_amount_that_is_missing_or_meaningless_is_named(
    read: Reader, fields: dict[str, int], refused: list[str]
) -> None:
    assert refused_fields(read, **fields) == refused


@DOORS
@pytest.mark.parametrize("number", UNKNOWN_SWAP_MODES)
@pytest.mark.parametrize("amounts", [{}, {"amount_in": 5}, {"amount_in": 5, "amount_out": 5}])
def test_an_unknown_mode_alone_is_named(read: Reader, number: int, amounts: dict[str, int]) -> None:
    assert refused_fields(read, swap_mode=number, **amounts) == ["swap_mode"]


@DOORS
def test_unset_guards_and_guards_of_zero_differ(read: Reader) -> None:
    assert read(amount_in=1)[4] == Guards()
    zeros = {"max_price_impact_bps": 0, "max_total_fee_lamports": 0, "max_quote_age_slots": 0}
    assert read(amount_in=1, **zeros)[4] == Guards(**zeros)
    for name in zeros:
        assert read(amount_in=1, **{name: 0})[4] == Guards(**{name: 0})


@DOORS
def test_guards_are_taken_up_to_their_largest_value(read: Reader) -> None:
    largest = {
        "max_price_impact_bps": 10_000,
        "max_total_fee_lamports": U64_MAX,
        "max_quote_age_slots": U32_MAX,
    }
    assert read(amount_in=1, **largest)[4] == Guards(**largest)


@DOORS
@pytest.mark.parametrize("impact_bps", [10_001, U32_MAX])
def test_an_impact_above_the_whole_price_is_named_beside_every_other_bad_field(read: Reader, impact_bps: int) -> None:
    fields = refused_fields(read, max_price_impact_bps=impact_bps, slippage_bps=5001)
    assert sorted(fields) == ["amount_in", "max_price_impact_bps", "slippage_bps"]


def test_a_quote_without_slippage_takes_the_default() -> None:
    assert read_quote(amount_in=1)[3] == 50
    assert read_quote(amount_in=1, slippage_bps=0)[3] == 0
