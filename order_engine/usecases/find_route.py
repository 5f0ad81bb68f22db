"""Find the best way from one token to another: one look at the market, every candidate kept, one chosen."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.pubkey import Pubkey

from order_engine.domain.errors import AttemptError, NoRoute
from order_engine.domain.market import LeftOut, MarketView
from order_engine.domain.pool import Pool
from order_engine.domain.route import Candidate, Route, SwapTerms
from order_engine.domain.routing import Costs, find_candidates, pairs_of, why_no_route
from order_engine.usecases.ports import LookupTables, Market
from order_engine.usecases.swap_plan import refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Every candidate, best first. `error` says why none is usable; `pools` are those of the route, as quoted."""

    slot: int  # the newest that was seen of the chain
    candidates: tuple[Candidate, ...]
    pools: Mapping[Pubkey, Pool]
    error: AttemptError | None

    @property
    def route(self) -> Route | None:
        return next((one.route for one in self.candidates if one.chosen), None)

    def require_route(self) -> Route:
        """Return the chosen route.

        Raises:
            AttemptError: there is none, and this is why.
        """
        if self.route is None:
            raise self.error or NoRoute("no route was chosen")
        return self.route


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRoute:
    market: Market
    lookup_tables: LookupTables
    hubs: tuple[Pubkey, ...]  # tokens that a route may pass
    max_hops: int
    compute_unit_price_micro_lamports: int
    turns: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False, compare=False)

    async def __call__(
        self, swap: SwapTerms, rent_lamports: Mapping[Pubkey, int], unlucky: Pubkey | None = None
    ) -> Decision:
        """Return every candidate, best first.

        `rent_lamports`: by mint, what opening an account that the wallet lacks costs and does not come back.
        `unlucky`: a pool that refused the swap before; it is used only where nothing else will do.

        Raises:
            ChainUnavailable: not one venue could be read.
        """
        view = await self.market.view(pairs_of(swap.token_in, swap.token_out, self.hubs, self.max_hops))
        tables = await self.lookup_tables.current()
        async with self.turns:
            await asyncio.sleep(0)  # a decision takes milliseconds: between two of them everything else gets its turn
            decision = self._decide(_without(view, unlucky), swap, rent_lamports, tables)
            if decision.route is None and unlucky is not None:
                return self._decide(view, swap, rent_lamports, tables)
            return decision

    def _decide(
        self,
        view: MarketView,
        swap: SwapTerms,
        rent_lamports: Mapping[Pubkey, int],
        tables: Sequence[AddressLookupTableAccount],
    ) -> Decision:
        pools = {pool.address: pool for pool in view.pools}
        price = self.compute_unit_price_micro_lamports
        candidates = find_candidates(
            view,
            swap,
            Costs(compute_unit_price_micro_lamports=price, rent_lamports=rent_lamports),
            self.hubs,
            self.max_hops,
            lambda route: refusal(route, pools, tables),
        )
        route = next((one.route for one in candidates if one.chosen), None)
        return Decision(
            slot=view.slot,
            candidates=candidates,
            pools={leg.pool: pools[leg.pool] for leg in route.legs} if route else {},
            error=None if route else why_no_route(candidates, swap),
        )


def _without(view: MarketView, unlucky: Pubkey | None) -> MarketView:
    left_out = [
        LeftOut(venue=pool.VENUE, pool=pool.address, reason="REFUSED_BEFORE: it refused the swap at the last attempt")
        for pool in view.pools
        if pool.address == unlucky
    ]
    pools = [pool for pool in view.pools if pool.address != unlucky]
    return MarketView(slot=view.slot, pools=pools, left_out=[*view.left_out, *left_out])
