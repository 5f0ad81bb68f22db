"""One pool in one direction, and what it answered in this search: each amount is asked for once."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import AmountTooSmall, EngineError, PoolUnreadable, QuoteRefused
from order_engine.domain.pool import ExactOutRequest, Pool, Quote, SwapRequest
from order_engine.domain.route import SwapMode


@dataclass(slots=True, eq=False)
class PoolSide:
    """Amounts are of token_in for EXACT_IN and of token_out for EXACT_OUT."""

    pool: Pool
    token_in: Pubkey
    token_out: Pubkey
    mode: SwapMode
    _quotes: dict[int, Quote] = field(default_factory=dict)
    _refusals: dict[int, str] = field(default_factory=dict)
    _values: dict[int, int | None] = field(default_factory=lambda: {0: 0})  # of nothing, nothing

    def value(self, amount: int) -> int | None:
        """Return what the swap pays, or for EXACT_OUT what it costs, below 0: more is better. None when refused."""
        if amount not in self._values:
            self._ask(amount)
        return self._values[amount]

    def quote(self, amount: int) -> Quote:
        """Return the quote.

        Raises:
            QuoteRefused: the pool does not take this amount.
        """
        refusal = self.refusal(amount)
        if refusal:
            raise QuoteRefused(refusal)
        return self._quotes[amount]

    def refusal(self, amount: int) -> str:
        """Return why the pool does not take this amount, as CODE: message. Empty if it does."""
        if amount not in self._values:
            self._ask(amount)
        return self._refusals.get(amount, "")

    def _ask(self, amount: int) -> None:
        try:
            quote = self._whole(amount)
        except (PoolUnreadable, QuoteRefused) as error:
            self._values[amount], self._refusals[amount] = None, reason_of(error)
            return
        self._quotes[amount] = quote
        self._values[amount] = quote.amount_out if self.mode is SwapMode.EXACT_IN else -quote.amount_in

    def _whole(self, amount: int) -> Quote:
        """Raises: QuoteRefused: the pool, or 64 bits, would take or pay another amount."""
        if amount > U64_MAX:
            raise QuoteRefused(f"the amount {amount} does not fit 64 bits")
        if self.mode is SwapMode.EXACT_IN:
            quote = self.pool.quote(SwapRequest(token_in=self.token_in, token_out=self.token_out, amount_in=amount))
            quoted = quote.amount_in
        else:
            wanted = ExactOutRequest(token_in=self.token_in, token_out=self.token_out, amount_out=amount)
            quote = self.pool.quote_exact_out(wanted)
            quoted = quote.amount_out
        if quoted != amount:
            raise QuoteRefused(f"the pool would swap {quoted} instead of {amount}")
        if quote.amount_in <= 0 or quote.amount_out <= 0:
            raise AmountTooSmall(f"the pool would pay {quote.amount_out} for {quote.amount_in}")
        if max(quote.amount_in, quote.amount_out) > U64_MAX:
            raise QuoteRefused(f"paying {quote.amount_out} for {quote.amount_in} does not fit 64 bits")
        return quote


def best_side(sides: Iterable[PoolSide], amount: int) -> PoolSide | None:
    """Return the pool that takes this amount at the best price, None when all refuse. Ties: the first."""
    answers = [(value, side) for side in sides if (value := side.value(amount)) is not None]
    return max(answers, key=lambda answer: answer[0])[1] if answers else None


def reason_of(error: EngineError) -> str:
    return f"{error.code}: {error.message}"
