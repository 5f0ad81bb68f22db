"""Tell what an order would get now. No side effect."""

from dataclasses import dataclass

from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable, TokenNotFound
from order_engine.domain.pool import AccountSnapshot, SwapRequest
from order_engine.domain.tokens import decode_mint
from order_engine.usecases.find_route import Decision, FindRoute
from order_engine.usecases.ports import Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class GetQuote:
    chain: Chain
    find_route: FindRoute
    default_slippage_bps: int

    async def __call__(self, swap: SwapRequest, slippage_bps: int | None) -> Decision:
        """Return every candidate, best first; none is chosen when no pool can fill the swap, and each says why.

        Raises:
            TokenNotFound: a mint that is not on chain.
            ChainUnavailable: the chain cannot be read at all.
        """
        snapshot = await self.chain.accounts([swap.token_in, swap.token_out])
        for mint in (swap.token_in, swap.token_out):
            _require_mint(mint, snapshot)
        bps = self.default_slippage_bps if slippage_bps is None else slippage_bps
        return await self.find_route(swap, bps)


def _require_mint(mint: Pubkey, snapshot: AccountSnapshot) -> None:
    try:
        decode_mint(mint, snapshot.require(mint), snapshot.epoch)
    except PoolUnreadable as error:
        raise TokenNotFound(f"there is no mint {mint} on chain", token=str(mint)) from error
