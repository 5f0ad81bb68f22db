"""An address lookup table with what swaps on the world's pools refer to, as a trading team would keep one."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.pubkey import Pubkey

from order_engine.domain.errors import QuoteRefused
from order_engine.domain.pool import Pool, SwapRequest, Trader
from order_engine.papernet.genesis import SLOT_OFFSET, network_keypair
from order_engine.papernet.images import image
from order_engine.papernet.pool_reading import read_pool

TABLE_PROGRAM: Final = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
MOST_ADDRESSES: Final = 256  # in one table
_HEADER: Final = struct.Struct("<IQQBB32s2x")  # kind, deactivated at, extended at, where that began, authority
_INITIALIZED: Final = 1
_NEVER: Final = 2**64 - 1
_MOMENT: Final = Clock(SLOT_OFFSET, 0, 0, 0, 2**32)  # every pool is open then
_PROBE: Final = 1_000_000  # base units: small, so that a swap stays near the price
_NOBODY: Final = Trader(owner=Pubkey([1] * 32), token_account_in=Pubkey([2] * 32), token_account_out=Pubkey([3] * 32))


def lookup_table(genesis: Hash, accounts: Mapping[Pubkey, Account], pools: Sequence[Pubkey]) -> Account:
    """Return the table's account, the addresses that most pools refer to first; what is too much is left out."""
    uses: dict[Pubkey, int] = {}
    for pool in pools:
        for address in _referred_to(pool, accounts):
            uses[address] = uses.get(address, 0) + 1
    addresses = sorted(uses, key=lambda address: -uses[address])[:MOST_ADDRESSES]
    authority = bytes(network_keypair(genesis, "faucet").pubkey())
    header = _HEADER.pack(_INITIALIZED, _NEVER, SLOT_OFFSET, 0, 1, authority)
    return image(TABLE_PROGRAM, header + b"".join(map(bytes, addresses)))


def _referred_to(address: Pubkey, accounts: Mapping[Pubkey, Account]) -> set[Pubkey]:
    """Return the accounts of a small swap each way; a table cannot hold a transaction's signers."""
    pool = read_pool(address, accounts.get, _MOMENT)
    trader = {_NOBODY.owner, _NOBODY.token_account_in, _NOBODY.token_account_out}
    return {address, *pool.mints, *pool.token_programs, *_of_swaps(pool)} - trader


def _of_swaps(pool: Pool) -> Iterator[Pubkey]:
    for token_in, token_out in (pool.mints, pool.mints[::-1]):
        try:
            quote = pool.quote(SwapRequest(token_in=token_in, token_out=token_out, amount_in=_PROBE))
        except QuoteRefused:
            continue
        yield from (meta.pubkey for meta in pool.swap_instruction(quote, 1, _NOBODY).accounts)
