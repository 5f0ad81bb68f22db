"""What a transaction pays to the chain: 5,000 lamports per signature and the priority fee it asks for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.pubkey import Pubkey

from order_engine.domain.amounts import LAMPORTS_PER_SIGNATURE, mul_div_ceil

_SET_LIMIT, _SET_PRICE = 2, 3
_BUILTIN_UNITS, _PROGRAM_UNITS, _MAX_UNITS = 3_000, 200_000, 1_400_000
_BUILTINS: Final = frozenset(
    {
        COMPUTE_BUDGET,
        Pubkey.default(),
        Pubkey.from_string("Vote111111111111111111111111111111111111111"),
        Pubkey.from_string("BPFLoader1111111111111111111111111111111111"),
        Pubkey.from_string("BPFLoader2111111111111111111111111111111111"),
        Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111"),
        Pubkey.from_string("LoaderV411111111111111111111111111111111111"),
    }
)


@dataclass(frozen=True, slots=True)
class ComputeBudget:
    limit: int  # compute units, as asked for or by default
    price_micro_lamports: int
    has_explicit_limit: bool

    def fee_lamports(self, signatures: int) -> int:
        """Return the whole fee. Rounds up, as the runtime does."""
        return LAMPORTS_PER_SIGNATURE * signatures + mul_div_ceil(self.limit, self.price_micro_lamports, 10**6)


def compute_budget(instructions: Iterable[tuple[Pubkey, bytes]]) -> ComputeBudget:
    """Read the budget out of (program, data) of all instructions."""
    explicit, price, default = None, 0, 0
    for program, data in instructions:
        default += _BUILTIN_UNITS if program in _BUILTINS else _PROGRAM_UNITS
        if program == COMPUTE_BUDGET and data[:1] == bytes([_SET_LIMIT]) and len(data) >= 5:
            explicit = int.from_bytes(data[1:5], "little")
        elif program == COMPUTE_BUDGET and data[:1] == bytes([_SET_PRICE]) and len(data) >= 9:
            price = int.from_bytes(data[1:9], "little")
    limit = min(default if explicit is None else explicit, _MAX_UNITS)
    return ComputeBudget(limit, price, explicit is not None)
