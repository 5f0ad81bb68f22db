"""List the tokens known by symbol, in the list's own order, in pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey

from order_engine.domain.tokens import KNOWN_TOKENS, Token


@dataclass(frozen=True, slots=True)
class TokenPage:
    tokens: Sequence[Token]
    next_after: Pubkey | None  # where the next page starts, None on the last one


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTokens:
    tokens: Sequence[Token] = KNOWN_TOKENS

    async def __call__(self, page_size: int, after: Pubkey | None = None) -> TokenPage:
        """Return up to `page_size` tokens after the one with the mint `after`; none for a mint not in the list."""
        mints = [token.mint for token in self.tokens]
        start = 0
        if after is not None:
            start = mints.index(after) + 1 if after in mints else len(mints)
        page = self.tokens[start : start + page_size]
        is_last = start + page_size >= len(self.tokens)
        return TokenPage(page, None if is_last else page[-1].mint)
