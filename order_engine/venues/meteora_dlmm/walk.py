"""A pool's bins in one direction with running sums, so that a swap over many bins costs one bisection.

The sums grow as far as the largest swap asked for. They hold for one state at one time.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from order_engine.domain.amounts import BPS, mul_div_floor
from order_engine.venues.meteora_dlmm.bins import Fill, Offer, Path, fill, offers, protocol_part
from order_engine.venues.meteora_dlmm.layout import FEE_ON_INPUT
from order_engine.venues.meteora_dlmm.math import FEE_DENOMINATOR, Q64, fee_on, input_for, output_of, price_of, with_fee
from order_engine.venues.meteora_dlmm.refusals import (
    ExtensionExhausted,
    LiquidityExhausted,
    OutputUndetermined,
    ProgramRefusal,
)

_Q128: Final = Q64 * Q64
_OPENED: Final = 2  # the stage whose rounding the program does not foresee


class Trade(NamedTuple):
    """What a swap exchanges with the pool. Transfer fees are outside of it.

    What only the pool's next state depends on is worked out when it is asked for.
    """

    amount_in: int  # reaches the vault
    amount_out: int  # leaves the vault
    net_in: int  # what the bins took, without fees
    fair_out: int  # Q64: `net_in` at the exact prices of the bins that took it
    fee: int
    whole_bins: int  # emptied
    walk: "Walk"
    part_in: int | None = None  # without fees, offered to the bin after those; None: the swap ended before
    part_fee: int = 0
    surplus: int = 0  # output that is due to nobody: the protocol's

    @property
    def part(self) -> Fill | None:
        """Return what it exchanges with the bin after those that it emptied."""
        return None if self.part_in is None else self.walk.part(self.last_offer, self.part_in)

    @property
    def last_offer(self) -> Offer:
        return self.walk.offer(self.whole_bins - (self.part_in is None))

    @property
    def protocol_fee(self) -> int:
        return self.walk.protocol_fee(self)


class _Sums(NamedTuple):
    """As in a trade, over the first bins."""

    amount_out: int
    net_in: int
    fair_out: int
    fee: int
    protocol_fee: int


class Walk:
    def __init__(self, path: Path, *, has_extension: bool) -> None:
        self._path, self._x_to_y = path, path.x_to_y
        self.is_fee_on_input = path.state.collect_fee_mode == FEE_ON_INPUT or not path.x_to_y
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
        self._in = [0]  # what the first n bins take, each of them whole
        self._sums = [_Sums(0, 0, 0, 0, 0)]  # and what else they exchange

    def price_impact_bps(self, trade: Trade) -> int:
        """Return how far the prices of the bins used are below the active bin's. Rounds down."""
        if self._spot == 0:
            self._spot = price_of(self._path.state.active_id, self._path.state.bin_step)
        fair_out = trade.fair_out
        ideal = self._fair_out(trade.net_in, self._spot)
        return mul_div_floor(ideal - fair_out, BPS, ideal) if ideal > fair_out else 0

    def exact_in(self, amount: int) -> Trade:
        """Swap `amount`, positive and after the transfer fee.

        Raises:
            ProgramRefusal: the program would fail.
        """
        taken = self._in
        while taken[-1] < amount:
            self._extend()
        whole = bisect_right(taken, amount) - 1
        rest = amount - taken[whole]
        if rest == 0:
            return self._whole_bins(whole)
        offer, is_fee_on_input = self._offers[whole], self.is_fee_on_input
        _, price, _, numerator, has_orders, whole_bin = offer
        fee = fee_on(rest, numerator) if is_fee_on_input else 0
        offered = net = rest - fee
        if has_orders or offered >= whole_bin.input:
            part = fill(offer, offered, x_to_y=self._x_to_y)
            net, out = part.input, part.output
        else:
            out = output_of(offered, price, x_to_y=self._x_to_y)
        if not is_fee_on_input:
            fee = fee_on(out, numerator)
            out -= fee
        outs, nets, fair, fees, _ = self._sums[whole]
        fair += self._fair_out(net, price)
        return Trade(amount, outs + out, nets + net, fair, fees + fee, whole, self, offered, fee)

    def exact_out(self, amount: int) -> Trade:
        """Swap so that `amount`, positive and with the transfer fee, leaves the vault.

        Raises:
            ProgramRefusal: the program would fail.
        """
        while self._sums[-1].amount_out < amount and (not self._needs or self._needs[-1] <= amount):
            self._extend()
        whole = bisect_right(self._needs, amount)
        rest = amount - self._sums[whole].amount_out
        if rest == 0:
            return self._whole_bins(whole)
        offer = self._offers[whole]
        gross = rest if self.is_fee_on_input else with_fee(rest, offer.fee_numerator)
        net = input_for(gross, offer.price, x_to_y=self._x_to_y)
        part = fill(offer, net, x_to_y=self._x_to_y)
        out = part.output
        if self.is_fee_on_input:
            paid = with_fee(net, offer.fee_numerator)
            fee = paid - net
        else:
            paid, fee = net, fee_on(out, offer.fee_numerator)
            out -= fee
        if out < rest or part.outputs[_OPENED]:
            raise OutputUndetermined(f"an exact output that ends in open limit orders, in bin {offer.bin_id}, fails")
        before = self._sums[whole]
        return Trade(
            amount_in=self._in[whole] + paid,
            amount_out=amount,
            net_in=before.net_in + part.input,
            fair_out=before.fair_out + self._fair_out(part.input, offer.price),
            fee=before.fee + fee,
            whole_bins=whole,
            walk=self,
            part_in=net,
            part_fee=fee,
            surplus=0 if self.is_fee_on_input else out - rest,
        )

    def fills(self, trade: Trade) -> Iterator[Fill]:
        """Yield what the trade exchanges with each bin."""
        for offer in self._offers[: trade.whole_bins]:
            yield offer.whole
        if trade.part is not None:
            yield trade.part

    def part(self, offer: Offer, net_in: int) -> Fill:
        """Return what `net_in` exchanges with one bin."""
        return fill(offer, net_in, x_to_y=self._x_to_y)

    def offer(self, position: int) -> Offer:
        """Return one of the bins that the walk came to."""
        return self._offers[position]

    def protocol_fee(self, trade: Trade) -> int:
        """Return the protocol's part of the trade's fee, with what is due to nobody."""
        whole, part = self._sums[trade.whole_bins].protocol_fee, trade.part
        if part is None:
            return whole
        return whole + protocol_part(trade.part_fee, part.inputs[0], part.input, self._share_bps) + trade.surplus

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
        net, available, numerator = offer.whole.input, offer.whole.output, offer.fee_numerator
        if self.is_fee_on_input:
            paid, out, need = with_fee(net, numerator), available, available
            fee = paid - net
        else:
            fee = fee_on(available, numerator)
            paid, out = net, available - fee
            # the least output that, with its fee, asks for the whole bin
            need = 1 + mul_div_floor(available - 1, FEE_DENOMINATOR - numerator, FEE_DENOMINATOR)
        before = self._sums[-1]
        self._needs.append(before.amount_out + need)
        self._offers.append(offer)
        self._in.append(self._in[-1] + paid)
        sums = _Sums(
            before.amount_out + out,
            before.net_in + net,
            before.fair_out + self._fair_out(net, offer.price),
            before.fee + fee,
            before.protocol_fee + protocol_part(fee, offer.whole.inputs[0], net, self._share_bps),
        )
        self._sums.append(sums)

    def _fair_out(self, net: int, price: int) -> int:
        return net * price if self._x_to_y else mul_div_floor(net, _Q128, price)

    def _whole_bins(self, whole: int) -> Trade:
        out, net, fair, fee, _ = self._sums[whole]
        return Trade(self._in[whole], out, net, fair, fee, whole, self)
