"""Tell what an order would get now. No side effect."""

from dataclasses import dataclass

from order_engine.domain.errors import TokenNotFound, UnknownMint
from order_engine.domain.route import SwapTerms
from order_engine.usecases.find_route import Decision, FindRoute
from order_engine.usecases.read_wallet import ReadWallet


@dataclass(frozen=True, slots=True, kw_only=True)
class GetQuote:
    read_wallet: ReadWallet
    find_route: FindRoute
    default_slippage_bps: int

    async def __call__(self, swap: SwapTerms) -> Decision:
        """Return every candidate, best first; none is chosen when no pool can fill the swap, and each says why.

        Raises:
            TokenNotFound: a mint that is not on chain.
            ChainUnavailable: the chain cannot be read at all.
        """
        try:
            holdings = await self.read_wallet(swap)
        except UnknownMint as error:
            raise TokenNotFound(error.message, **error.metadata) from error
        return await self.find_route(swap, holdings.lost_rent_lamports)
