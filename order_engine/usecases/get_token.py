"""Describe a token: from the token list, or from its mint on chain."""

from dataclasses import dataclass

from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable, TokenNotFound
from order_engine.domain.tokens import TOKENS_BY_MINT, Token, decode_mint
from order_engine.usecases.ports import Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class GetToken:
    chain: Chain

    async def __call__(self, mint: Pubkey) -> Token:
        """Return the token; its symbol is empty when the list does not know it.

        Raises:
            TokenNotFound: no such account on chain, or it is not a mint.
            Unavailable: the chain cannot be read.
        """
        known = TOKENS_BY_MINT.get(mint)
        if known is not None:
            return known
        snapshot = await self.chain.accounts([mint])
        try:
            found = decode_mint(mint, snapshot.require(mint), snapshot.epoch)
        except PoolUnreadable as error:
            raise TokenNotFound(error.message, mint=str(mint)) from error
        return Token(mint, "", found.decimals, found.token_program)
