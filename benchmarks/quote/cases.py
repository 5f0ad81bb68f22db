"""What is quoted: swaps on recorded pools, named by their vectors."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from order_engine.domain.pool import AccountSnapshot, Pool, SwapRequest
from order_engine.papernet.vector_file import PoolDump, VectorFile, load_json
from order_engine.venues import VENUES

VECTORS: Final = Path(__file__).parents[2] / "tests" / "vectors" / "data"
POOLS: Final[Mapping[str, type[Pool]]] = {pool.VENUE: pool for pool in VENUES.values()}

AMOUNTS_ONLY: Final = "amounts only"  # the same swap in the venue's maths alone


@dataclass(frozen=True, slots=True)
class Case:
    """One swap, by what it shows. `vector` is its id in the venue's file of recorded swaps."""

    venue: str
    shows: str
    vector: str

    @property
    def name(self) -> str:
        return f"{self.venue}, {self.shows}"

    @property
    def key(self) -> str:
        return f"{self.venue}_{self.shows}".replace(" ", "_")


CASES: Final = (
    Case("raydium_amm_v4", "small", "ammv4-amm4-p0-16"),
    Case("raydium_cpmm", "small", "cpmm-cpmm-p0-11"),
    Case("raydium_cpmm", AMOUNTS_ONLY, "cpmm-cpmm-p0-11"),
    Case("raydium_clmm", "small", "clmm-clmm-p1-10"),
    Case("raydium_clmm", "21 ticks", "clmm-clmm-p2-15"),
    Case("raydium_clmm", "dynamic fee, 25 steps", "clmm-clmm-p12-11"),
    Case("meteora_dlmm", "small", "dlmm-dlmm-p0-10"),
    Case("meteora_dlmm", "32 bins", "dlmm-dlmm-p13-5"),
    Case("meteora_damm_v2", "small", "dammv2-damm-p0-10"),
    Case("meteora_damm_v2", AMOUNTS_ONLY, "dammv2-damm-p0-10"),
)


@dataclass(frozen=True, slots=True)
class Swap:
    """A case read from its file: a pool's accounts, and what is asked of it."""

    dump: PoolDump
    snapshot: AccountSnapshot
    request: SwapRequest
    recorded_amount_out: int  # by the program itself, where its vector says so

    def decode(self, venue: str) -> Pool:
        return POOLS[venue].decode(self.dump.address("pool"), self.snapshot)


def swap_of(case: Case) -> Swap:
    """Return the case's swap.

    Raises:
        StopIteration: its file has no such vector.
    """
    file = _file(case.venue)
    vector = next(vector for vector in file.vectors if vector.id == case.vector)
    dump, user = file.pools[vector.pool], vector.user
    snapshot = AccountSnapshot(
        slot=dump.clock.slot,
        unix_timestamp=dump.clock.unix_timestamp,
        epoch=dump.clock.epoch,
        accounts={account.pubkey: account.to_account() for account in dump.accounts},
    )
    request = SwapRequest(token_in=user.mint_in, token_out=user.mint_out, amount_in=vector.amount)
    return Swap(dump, snapshot, request, vector.expected.amount_out)


def as_sdk_reads(case: Case, swap: Swap) -> dict[str, object]:
    """Return the swap for the other side: the accounts' bytes, not what we make of them."""
    return {
        "name": case.key,
        "venue": case.venue,
        "amounts_only": case.shows == AMOUNTS_ONLY,
        "mint_in": str(swap.request.token_in),
        "mint_out": str(swap.request.token_out),
        "amount_in": str(swap.request.amount_in),
        "clock": swap.dump.clock.model_dump(),
        "accounts": [
            {
                "role": account.role,
                "pubkey": str(account.pubkey),
                "owner": str(account.owner),
                "data": base64.b64encode(account.data).decode(),
            }
            for account in swap.dump.accounts
        ],
    }


@cache
def _file(venue: str) -> VectorFile:
    return VectorFile.model_validate(load_json(VECTORS / f"{venue}.json.gz"))
