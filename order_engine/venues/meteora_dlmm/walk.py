"""A pool's bins in one direction with running sums, so that a swap over many bins costs one bisection.

The sums grow as far as the largest swap asked for. They hold for one state at one time.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from order_engine.domain.amounts import BPS, mul_div_floor
from order_engine.venues.meteora_dlmm.bins import Fill, Offer, Path, fill, offers, protocol_part
from order_engine.venues.meteora_dlmm.layout import FEE_ON_INPUT
from order_engine.venues.meteora_dlmm.math import FEE_DENOMINATOR, Q64_BITS, fee_on, input_for, price_of, with_fee
from order_engine.venues.meteora_dlmm.refusals import (
    ExtensionExhausted,
    LiquidityExhausted,
    OutputUndetermined,
    ProgramRefusal,
)

_OPENED: Final = 2  # the stage whose rounding the program does not foresee


class Trade(NamedTuple):
    """What a swap exchanges with the pool. Transfer fees are outside of it."""

    amount_in: int  # reaches the vault
    amount_out: int  # leaves the vault
    net_in: int  # what the bins took, without fees
    fair_out: int  # Q64: `net_in` at the exact prices of the bins that took it
    fee: int
    protocol_fee: int
    whole_bins: int  # emptied
    part: Fill | None  # of the bin after those
    last_bin: int
    accumulator: int


class Walk:
    def __init__(self, path: Path, *, has_extension: bool) -> None:
        self._path, self._x_to_y = path, path.x_to_y
        self._is_fee_on_input = path.state.collect_fee_mode == FEE_ON_INPUT or not path.x_to_y
        self._spot = 0  # the active bin's price, once it was asked for
        self._share_bps = path.state.protocol_share
        self._rest: Iterator[Offer] = offers(path)
        self._end: tuple[type[ProgramRefusal], str] = (
            ExtensionExhausted if has_extension else LiquidityExhausted,
            "no bin is left on this side",
        )
        self._is_open = True
        self._offers: list[Offer] = []
        self._needs: list[int] = []  # the least output for which the bin is taken whole
        # sums over the first n bins, taken whole
        self._in, self._out, self._net, self._fair, self._fees, self._protocol = [0], [0], [0], [0], [0], [0]

    @property
    def is_fee_on_input(self) -> bool:
        return self._is_fee_on_input

    def price_impact_bps(self, trade: Trade) -> int:
        """Return how far the prices of the bins used are below the active bin's. Rounds down."""
        if self._spot == 0:
            self._spot = price_of(self._path.state.active_id, self._path.state.bin_step)
        ideal = self._fair_out(trade.net_in, self._spot)
        return mul_div_floor(ideal - trade.fair_out, BPS, ideal) if ideal > trade.fair_out else 0

    def exact_in(self, amount: int) -> Trade:
        """Swap `amount`, positive and after the transfer fee.

        Raises:
            ProgramRefusal: the program would fail.
        """
        while self._in[-1] < amount:
            self._extend()
        whole = bisect_right(self._in, amount) - 1
        rest = amount - self._in[whole]
        if rest == 0:
            return self._whole_bins(whole)
        numerator = self._offers[whole].fee_numerator
        fee = fee_on(rest, numerator) if self._is_fee_on_input else 0
        part = fill(self._offers[whole], rest - fee, x_to_y=self._x_to_y)
        out = sum(part.outputs)
        if not self._is_fee_on_input:
            fee = fee_on(out, numerator)
            out -= fee
        return self._with_part(whole, part, amount_in=rest, amount_out=out, fee=fee)

    def exact_out(self, amount: int) -> Trade:
        """Swap so that `amount`, positive and with the transfer fee, leaves the vault.

        Raises:
            ProgramRefusal: the program would fail.
        """
        while self._out[-1] < amount and (not self._needs or self._needs[-1] <= amount):
            self._extend()
        whole = bisect_right(self._needs, amount)
        rest = amount - self._out[whole]
        if rest == 0:
            return self._whole_bins(whole)
        offer = self._offers[whole]
        gross = rest if self._is_fee_on_input else with_fee(rest, offer.fee_numerator)
        net = input_for(gross, offer.price, x_to_y=self._x_to_y)
        part = fill(offer, net, x_to_y=self._x_to_y)
        out = sum(part.outputs)
        if self._is_fee_on_input:
            paid = with_fee(net, offer.fee_numerator)
            fee = paid - net
        else:
            paid, fee = net, fee_on(out, offer.fee_numerator)
            out -= fee
        if out < rest or part.outputs[_OPENED]:
            raise OutputUndetermined(f"an exact output that ends in open limit orders, in bin {offer.bin_id}, fails")
        trade = self._with_part(whole, part, amount_in=paid, amount_out=rest, fee=fee)
        if self._is_fee_on_input:
            return trade
        return trade._replace(protocol_fee=trade.protocol_fee + out - rest)

    def fills(self, trade: Trade) -> Iterator[Fill]:
        """Yield what the trade exchanges with each bin."""
        for offer in self._offers[: trade.whole_bins]:
            yield Fill(offer.bin_id, offer.inputs, offer.outputs)
        if trade.part is not None:
            yield trade.part

    def _extend(self) -> None:
        """Add the next bin's sums.

        Raises:
            ProgramRefusal: there is none, or the program fails on it. So it does each time the walk comes here.
        """
        offer = None
        if self._is_open:
            try:
                offer = next(self._rest, None)
            except ProgramRefusal as refusal:
                self._end = type(refusal), refusal.message
        if offer is None:
            self._is_open = False
            kind, message = self._end
            raise kind(message)
        self._add(offer)

    def _add(self, offer: Offer) -> None:
        net, available, numerator = offer.input, offer.output, offer.fee_numerator
        if self._is_fee_on_input:
            paid, out, need = with_fee(net, numerator), available, available
            fee = paid - net
        else:
            fee = fee_on(available, numerator)
            paid, out = net, available - fee
            # the least output that, with its fee, asks for the whole bin
            need = 1 + mul_div_floor(available - 1, FEE_DENOMINATOR - numerator, FEE_DENOMINATOR)
        self._needs.append(self._out[-1] + need)
        self._offers.append(offer)
        self._in.append(self._in[-1] + paid)
        self._out.append(self._out[-1] + out)
        self._net.append(self._net[-1] + net)
        self._fair.append(self._fair[-1] + self._fair_out(net, offer.price))
        self._fees.append(self._fees[-1] + fee)
        self._protocol.append(self._protocol[-1] + protocol_part(fee, offer.inputs[0], net, self._share_bps))

    def _fair_out(self, net: int, price: int) -> int:
        return net * price if self._x_to_y else mul_div_floor(net, 1 << (2 * Q64_BITS), price)

    def _whole_bins(self, whole: int) -> Trade:
        last = self._offers[whole - 1]
        return Trade(
            self._in[whole],
            self._out[whole],
            self._net[whole],
            self._fair[whole],
            self._fees[whole],
            self._protocol[whole],
            whole,
            None,
            last.bin_id,
            last.accumulator,
        )

    def _with_part(self, whole: int, part: Fill, *, amount_in: int, amount_out: int, fee: int) -> Trade:
        offer, net = self._offers[whole], sum(part.inputs)
        return Trade(
            self._in[whole] + amount_in,
            self._out[whole] + amount_out,
            self._net[whole] + net,
            self._fair[whole] + self._fair_out(net, offer.price),
            self._fees[whole] + fee,
            self._protocol[whole] + protocol_part(fee, part.inputs[0], net, self._share_bps),
            whole,
            part,
            offer.bin_id,
            offer.accumulator,
        )
