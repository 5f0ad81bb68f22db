"""Somebody else trades in the pools of a route between its quote and its landing; what must then become of it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from solders.compute_budget import set_compute_unit_limit
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from order_engine.domain.errors import QuoteRefused
from order_engine.domain.pool import ExactOutRequest, Pool, SwapRequest, Trader
from order_engine.domain.route import Route, RouteLeg, SwapMode
from order_engine.domain.tokens import KNOWN_TOKENS, TOKENS_BY_MINT, associated_token_address
from order_engine.papernet.images import SYSTEM_PROGRAM, image
from order_engine.papernet.world_accounts import token_account
from tests.papernet.client import signed
from tests.papernet.quoted_swaps import PLENTY, Attempt, Desk

_LIMIT = set_compute_unit_limit(1_400_000)


@dataclass(frozen=True)
class Fate:
    """What the legs will move, as far as the first one that cannot keep its bound."""

    legs: Sequence[RouteLeg]
    failing: RouteLeg | None = None
    breaks_bound: bool = False  # else its pool does not trade the amount at all


def fate_of(route: Route, pools: Mapping[Pubkey, Pool]) -> Fate:
    """Return what the route will do in pools as they are now."""
    done: list[RouteLeg] = []
    for leg in route.legs:
        try:
            now = _now(leg, pools[leg.pool], route.swap_mode)
        except QuoteRefused:
            return Fate(done, leg)
        if now.amount_out < leg.min_amount_out or now.amount_in > leg.max_amount_in:
            return Fate(done, leg, breaks_bound=True)
        done.append(now)
    return Fate(done)


def _now(leg: RouteLeg, pool: Pool, mode: SwapMode) -> RouteLeg:
    if mode is SwapMode.EXACT_IN:
        request = SwapRequest(token_in=leg.token_in, token_out=leg.token_out, amount_in=leg.amount_in)
        quote = pool.quote(request)
    else:
        wanted = ExactOutRequest(token_in=leg.token_in, token_out=leg.token_out, amount_out=leg.amount_out)
        quote = pool.quote_exact_out(wanted)
    return replace(leg, amount_in=quote.amount_in, amount_out=quote.amount_out)


class Stranger:
    """Trades in the pools of other people's routes, mostly in their direction."""

    def __init__(self, desk: Desk, chance: random.Random) -> None:
        self._network, self._chance = desk.network, chance
        self._wallet = Keypair.from_seed(chance.randbytes(32))
        self._network.bank.load(self._wallet.pubkey(), image(SYSTEM_PROGRAM, b"", PLENTY))
        for token in KNOWN_TOKENS:
            self._network.bank.load(self._account(token.mint), token_account(token, self._wallet.pubkey(), PLENTY))

    def trade(self, attempt: Attempt) -> None:
        """Send swaps in some of the route's pools; they land in the next slot."""
        legs = attempt.route.legs
        for leg in self._chance.sample(legs, self._chance.randint(1, len(legs))):
            self._swap(leg, attempt.pools[leg.pool])

    def _swap(self, leg: RouteLeg, pool: Pool) -> None:
        there = self._chance.random() < 0.75
        token_in, token_out = (leg.token_in, leg.token_out) if there else (leg.token_out, leg.token_in)
        amount = int((leg.amount_in if there else leg.amount_out) * 10 ** self._chance.uniform(-4, 1))
        try:
            quote = pool.quote(SwapRequest(token_in=token_in, token_out=token_out, amount_in=max(1, amount)))
        except QuoteRefused:
            return
        accounts = Trader(
            owner=self._wallet.pubkey(),
            token_account_in=self._account(token_in),
            token_account_out=self._account(token_out),
        )
        blockhash = self._network.heights.blockhash(self._network.head)
        transaction = signed(self._wallet, [_LIMIT, pool.swap_instruction(quote, 1, accounts)], blockhash)
        self._network.accept(transaction, bytes(transaction))

    def _account(self, mint: Pubkey) -> Pubkey:
        return associated_token_address(self._wallet.pubkey(), mint, TOKENS_BY_MINT[mint].token_program)
