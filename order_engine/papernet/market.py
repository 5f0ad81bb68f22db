"""The seeded market: a trader pushes every pool towards a wandering price, so that the better venue changes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Final

from solders.clock import Clock
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX, mul_div_floor
from order_engine.domain.errors import PoolUnreadable, QuoteRefused
from order_engine.domain.pool import Pool, SwapRequest, Trader
from order_engine.domain.tokens import TOKENS_BY_SYMBOL, associated_token_address
from order_engine.papernet.images import Changes, to_domain, token_holding
from order_engine.papernet.machine import Machine
from order_engine.papernet.noise import wander
from order_engine.papernet.pool_reading import read_pool
from order_engine.papernet.treasury import signed
from order_engine.papernet.venues import POOL_OF_PROGRAM
from order_engine.papernet.world import STABLE_SYMBOLS, PoolSite

_PPM: Final = 10**6
_PPM_PER_BPS: Final = 100
_TOO_CLOSE_PPM: Final = 20
_PROBE_SHARE: Final = 100_000  # of the vault: small enough to tell the price
_TOKEN_PERIODS, _POOL_PERIODS = (8, 64, 512), (4, 16)
_STABLE_MINTS: Final = frozenset(str(TOKENS_BY_SYMBOL[symbol].mint) for symbol in STABLE_SYMBOLS)
_TOKEN_SWING, _STABLE_SWING = Fraction(16), Fraction(1, 4)  # of what a price moves in one step
_POOL_SWING: Final = Fraction(1, 2)
_PARTS: Final = 16
_MOST_TIMES: Final = 32  # a concentrated pool holds so much more at its price than its vaults say, at most
_FLAT_TIMES: Final = 4  # where a trade does not move the price at all, as inside a bin


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What a small swap paid when the world began; prices wander around it."""

    pool: str
    token_in: str
    token_out: str
    amount_in: int
    amount_out: int


class Market:
    def __init__(self, machine: Machine, trader: Keypair, seed: int, volatility_bps: int) -> None:
        self._machine, self._trader, self._seed = machine, trader, seed
        self._step_ppm = volatility_bps * _PPM_PER_BPS
        self._anchors: Sequence[Anchor] = ()

    def anchors_json(self) -> str:
        return json.dumps([asdict(anchor) for anchor in self._anchors])

    def restore(self, anchors_json: str) -> None:
        self._anchors = tuple(Anchor(**anchor) for anchor in json.loads(anchors_json))

    def anchor(self, sites: Iterable[PoolSite], clock: Clock) -> None:
        """Take the pools' prices of now as those around which they will wander."""
        self._anchors = tuple(filter(None, (self._anchor(site, clock) for site in sites)))

    def move(self, step: int, blockhash: Hash, clock: Clock) -> list[Changes]:
        """Trade on every pool that is off its price, and return what changed on the live state."""
        if self._step_ppm == 0:
            return []
        return list(filter(None, (self._trade(anchor, step, blockhash, clock) for anchor in self._anchors)))

    def _anchor(self, site: PoolSite, clock: Clock) -> Anchor | None:
        try:
            pool = read_pool(site.pool, self._machine.account, clock)
            amount_in = max(1, self._vault_amount(site.pool, site.token_in) // _PROBE_SHARE)
            quote = pool.quote(_request(site.token_in, site.token_out, amount_in))
        except (PoolUnreadable, QuoteRefused):
            return None
        return Anchor(
            pool=str(site.pool),
            token_in=str(site.token_in),
            token_out=str(site.token_out),
            amount_in=amount_in,
            amount_out=quote.amount_out,
        )

    def _trade(self, anchor: Anchor, step: int, blockhash: Hash, clock: Clock) -> Changes | None:
        address, token_in, token_out = map(Pubkey.from_string, (anchor.pool, anchor.token_in, anchor.token_out))
        try:
            pool = read_pool(address, self._machine.account, clock)
            paid = pool.quote(_request(token_in, token_out, anchor.amount_in)).amount_out
            off_ppm = self._off_ppm(anchor, step, paid)
            if abs(off_ppm) < _TOO_CLOSE_PPM:
                return None
            if off_ppm > 0:  # the pool pays too little for token_in: somebody buys it
                token_in, token_out = token_out, token_in
            amount = self._amount_moving(pool, token_in, token_out, abs(off_ppm))
            quote = pool.quote(_request(token_in, token_out, amount))
        except (PoolUnreadable, QuoteRefused):
            return None
        swap = pool.swap_instruction(quote, 1, self._trader_of(pool, token_in, token_out))
        execution = self._machine.execute(signed(self._trader, [swap], blockhash))
        return None if execution is None else execution.changes

    def _off_ppm(self, anchor: Anchor, step: int, paid: int) -> int:
        """Return how far the wanted price is above the pool's, at most what one step may move."""
        value_in, value_out = (_PPM + self._value_ppm(mint, step) for mint in (anchor.token_in, anchor.token_out))
        own = wander(f"{self._seed}:{anchor.pool}", step, int(_POOL_SWING * self._step_ppm), _POOL_PERIODS)
        wanted = mul_div_floor(anchor.amount_out, value_in * (_PPM + own), value_out * _PPM)
        off_ppm = mul_div_floor(wanted - paid, _PPM, paid)
        return max(-self._step_ppm, min(self._step_ppm, off_ppm))

    def _value_ppm(self, mint: str, step: int) -> int:
        """Return how far a token's value is from its first one. One value a token: no way round is worth more."""
        swing = _STABLE_SWING if mint in _STABLE_MINTS else _TOKEN_SWING
        return wander(f"{self._seed}:{mint}", step, int(swing * self._step_ppm), _TOKEN_PERIODS)

    def _amount_moving(self, pool: Pool, token_in: Pubkey, token_out: Pubkey, off_ppm: int) -> int:
        """Return how much must be sold to move the pool's price by `off_ppm`, as two quotes tell.

        Raises:
            QuoteRefused: the pool does not pay for a first guess.
        """
        # with a constant product the price goes by the square of what the reserves do, the average price by half of it
        guess = mul_div_floor(self._vault_amount(pool.address, token_in), off_ppm, 2 * _PPM)
        whole, part = (
            pool.quote(_request(token_in, token_out, min(U64_MAX, max(1, amount)))).amount_out
            for amount in (guess, guess // _PARTS)
        )
        moved_ppm = mul_div_floor(part * _PARTS - whole, 2 * _PPM, part * (_PARTS - 1))
        if moved_ppm < off_ppm // _MOST_TIMES:
            return min(U64_MAX, _FLAT_TIMES * guess)
        return min(U64_MAX, mul_div_floor(guess, off_ppm, max(moved_ppm, 1)))

    def _vault_amount(self, address: Pubkey, mint: Pubkey) -> int:
        account = to_domain(self._machine.account(address))
        if account is None:
            return 0
        keys = POOL_OF_PROGRAM[account.owner].dependencies(address, account)
        holdings = (token_holding(self._machine.account(key)) for key in keys)
        return sum(holding.amount for holding in holdings if holding is not None and holding.mint == mint)

    def _trader_of(self, pool: Pool, token_in: Pubkey, token_out: Pubkey) -> Trader:
        programs = dict(zip(pool.mints, pool.token_programs, strict=True))
        owner = self._trader.pubkey()
        return Trader(
            owner=owner,
            token_account_in=associated_token_address(owner, token_in, programs[token_in]),
            token_account_out=associated_token_address(owner, token_out, programs[token_out]),
        )


def _request(token_in: Pubkey, token_out: Pubkey, amount_in: int) -> SwapRequest:
    return SwapRequest(token_in=token_in, token_out=token_out, amount_in=amount_in)
