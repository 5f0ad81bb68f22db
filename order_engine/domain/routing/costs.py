"""What a route costs beside what its pools keep: compute units, network fee, rent, and what lamports are worth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.amounts import network_fee_lamports

MAX_COMPUTE_UNITS: Final = 1_400_000  # of any transaction
# Memo, two token accounts created, wrapping, closing: measured at up to 90,000 together, with room to spare.
_COMPUTE_UNITS_BESIDE_SWAPS: Final = 140_000
_COMPUTE_UNITS_PER_FURTHER_TOKEN: Final = 25_000  # its account created


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What the network asks of this wallet at this moment."""

    compute_unit_price_micro_lamports: int
    # By mint, what opening the wallet's token account would cost and not come back. Absent: nothing.
    rent_lamports: Mapping[Pubkey, int] = field(default_factory=dict)


def compute_unit_limit(swap_compute_units: int, hops: int = 1) -> int:
    """Return what a transaction may burn whose swaps burn this much, over so many pairs."""
    further = (hops - 1) * _COMPUTE_UNITS_PER_FURTHER_TOKEN
    return min(MAX_COMPUTE_UNITS, _COMPUTE_UNITS_BESIDE_SWAPS + further + swap_compute_units)


def network_fee(swap_compute_units: int, compute_unit_price_micro_lamports: int, hops: int = 1) -> int:
    """Return the lamports that such a transaction costs, landed or failed."""
    return network_fee_lamports(compute_unit_limit(swap_compute_units, hops), compute_unit_price_micro_lamports)
