"""The bins a swap comes to, in walking order: what each pays, takes and charges.

A bin pays out of three stages, one after the other: the providers' own amount, then what remains of limit orders that
are being filled, then open limit orders. Each stage rounds its input up by itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from order_engine.domain.amounts import BPS, U64_MAX, mul_div_ceil, mul_div_floor
from order_engine.venues.meteora_dlmm.arrays import (
    BIN,
    BINS_PER_ARRAY,
    NO_EXTENSION,
    BinArray,
    Bitmap,
    Extension,
    array_index_of,
    bin_offset,
)
from order_engine.venues.meteora_dlmm.layout import MINING, PairState
from order_engine.venues.meteora_dlmm.math import (
    MAX_FEE_NUMERATOR,
    Q64_BITS,
    base_fee,
    input_for,
    output_of,
    price_of,
    variable_fee,
)
from order_engine.venues.meteora_dlmm.refusals import LimitOrdersUnknown, MathOverflow, MissingBinArray

VOLATILITY_PER_BIN: Final = 10_000
_SELLS_X: Final = 1  # of the limit orders in a bin


class Fill(NamedTuple):
    """What a swap exchanges with one bin, by stage and all stages together. Amounts without fees."""

    bin_id: int
    input: int
    output: int
    inputs: tuple[int, int, int]
    outputs: tuple[int, int, int]


class Offer(NamedTuple):
    """One bin that has something to pay."""

    bin_id: int
    price: int
    accumulator: int
    fee_numerator: int
    has_orders: bool
    whole: Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Where a swap goes, with the volatility's references as a swap at that time sets them."""

    state: PairState
    bitmap: Bitmap
    arrays: Mapping[int, BinArray]
    x_to_y: bool
    base_fee: int
    index_reference: int
    volatility_reference: int

    @classmethod
    def at(
        cls,
        unix_timestamp: int,
        state: PairState,
        extension: Extension | None,
        arrays: Mapping[int, BinArray],
        *,
        x_to_y: bool,
    ) -> Self:
        index_reference, volatility_reference = references(state, unix_timestamp)
        return cls(
            state=state,
            bitmap=Bitmap(state.bitmap, extension or NO_EXTENSION),
            arrays=arrays,
            x_to_y=x_to_y,
            base_fee=base_fee(state.base_factor, state.bin_step, state.base_fee_power),
            index_reference=index_reference,
            volatility_reference=volatility_reference,
        )


def references(state: PairState, unix_timestamp: int) -> tuple[int, int]:
    """Return bin and volatility from which a swap starting now counts: the last ones until the filter period ends."""
    elapsed = unix_timestamp - state.last_update_timestamp
    if elapsed < state.filter_period:
        return state.index_reference, state.volatility_reference
    decayed = mul_div_floor(state.volatility_accumulator, state.reduction_factor, BPS)
    return state.active_id, decayed if elapsed < state.decay_period else 0


def offers(path: Path) -> Iterator[Offer]:
    """Yield the bins that have something to pay, nearest first.

    Raises:
        MissingBinArray: the next bins lie in an array that was not given.
        MathOverflow: the program cannot count what the next bin takes.
    """
    down, state = path.x_to_y, path.state
    step = -1 if down else 1
    bin_id: int = state.active_id
    index = path.bitmap.next(array_index_of(bin_id), down=down)
    while index is not None:
        array = path.arrays.get(index)
        if array is None:
            raise MissingBinArray(f"the swap needs bin array {index}, which was not read")
        lowest = index * BINS_PER_ARRAY
        nearest = lowest + BINS_PER_ARRAY - 1 if down else lowest
        start = bin_id if array_index_of(bin_id) == index else nearest
        stop = lowest - 1 if down else lowest + BINS_PER_ARRAY
        for bin_id in range(start, stop, step):
            offer = _offer(path, array.data, bin_id)
            if offer is not None:
                yield offer
        bin_id = stop
        index = path.bitmap.next(index + step, down=down)


def _offer(path: Path, data: bytes, bin_id: int) -> Offer | None:
    x, y, price, price_high, opened, _, processed, _, side = BIN.unpack_from(data, bin_offset(bin_id))
    own = y if path.x_to_y else x
    if opened or processed:
        if (side == _SELLS_X) == path.x_to_y:
            opened = processed = 0
        elif path.state.function_type == MINING:
            raise LimitOrdersUnknown(f"bin {bin_id} of a mining pool reads as if it held limit orders")
    output = own + processed + opened
    if output == 0:
        return None
    price = price | price_high << Q64_BITS or price_of(bin_id, path.state.bin_step)
    inputs = (
        input_for(own, price, x_to_y=path.x_to_y),
        input_for(processed, price, x_to_y=path.x_to_y) if processed else 0,
        input_for(opened, price, x_to_y=path.x_to_y) if opened else 0,
    )
    net_in = inputs[0] + inputs[1] + inputs[2]
    if net_in > U64_MAX:
        raise MathOverflow(f"bin {bin_id} takes {net_in}")
    accumulator = _accumulator(path, bin_id)
    whole = Fill(bin_id, net_in, output, inputs, (own, processed, opened))
    return Offer(bin_id, price, accumulator, _fee_numerator(path, accumulator), output > own, whole)


def _accumulator(path: Path, bin_id: int) -> int:
    grown = path.volatility_reference + abs(path.index_reference - bin_id) * VOLATILITY_PER_BIN
    return min(path.state.max_volatility_accumulator, grown)


def _fee_numerator(path: Path, accumulator: int) -> int:
    control = path.state.variable_fee_control
    fee = variable_fee(control, accumulator, path.state.bin_step) if control else 0
    return min(MAX_FEE_NUMERATOR, path.base_fee + fee)


def fill(offer: Offer, net_in: int, *, x_to_y: bool) -> Fill:
    """Give `net_in` to the bin's stages in turn. The last one it reaches rounds its output down.

    One unit of input may be worth more than the bin holds: then it takes the bin whole.
    """
    whole = offer.whole
    if net_in >= whole.input:
        return whole
    if not offer.has_orders:
        out = output_of(net_in, offer.price, x_to_y=x_to_y)
        return Fill(offer.bin_id, net_in, out, (net_in, 0, 0), (out, 0, 0))
    inputs, outputs, rest = [0, 0, 0], [0, 0, 0], net_in
    for stage, (whole_in, whole_out) in enumerate(zip(whole.inputs, whole.outputs, strict=True)):
        if rest < whole_in:
            inputs[stage], outputs[stage] = rest, output_of(rest, offer.price, x_to_y=x_to_y)
            break
        inputs[stage], outputs[stage] = whole_in, whole_out
        rest -= whole_in
    by_stage = (inputs[0], inputs[1], inputs[2]), (outputs[0], outputs[1], outputs[2])
    return Fill(offer.bin_id, sum(inputs), sum(outputs), *by_stage)


def protocol_part(fee: int, providers_in: int, net_in: int, share_bps: int) -> int:
    """Return the protocol's part of a bin's fee: its share of what is due to providers, half of the limit orders'."""
    if providers_in == net_in:
        return mul_div_floor(fee, share_bps, BPS)
    providers = mul_div_ceil(fee, providers_in, net_in)
    orders = fee - providers
    return mul_div_floor(providers, share_bps, BPS) + mul_div_ceil(orders, 1, 2)
