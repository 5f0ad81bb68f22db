"""The dynamic fee: how far the price has moved lately, in groups of one tick spacing, and what that costs.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src/states/pool_fee.rs, commit 03b44b7.
"""

import struct
from dataclasses import dataclass, replace
from typing import Final

from order_engine.domain.amounts import BPS, mul_div_ceil, mul_div_floor
from order_engine.venues.raydium_clmm.refusals import ProgramPanics

DYNAMIC_FEE_SIZE: Final = 80
MAX_FEE_RATE: Final = 100_000  # millionths
_SCALE: Final = 10_000  # of the accumulator: one group
_RATE_SCALE: Final = 10**5 * _SCALE**2
_U32_MAX: Final = 2**32 - 1
# 0 filter period, 2 decay period, 4 reduction factor, 6 control, 10 maximum, 14 group reference, 18 volatility
# reference, 22 accumulator, 26 last update; 34 unused
_FIELDS: Final = struct.Struct("<HHHIIiIIQ")
_NAMES: Final = (
    "filter_period",
    "decay_period",
    "reduction_factor",
    "control",
    "max_accumulator",
    "group_reference",
    "volatility_reference",
    "accumulator",
    "last_update",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicFee:
    """Settings and memory of the fee. Times are unix seconds, periods seconds."""

    filter_period: int
    decay_period: int
    reduction_factor: int  # bps
    control: int
    max_accumulator: int
    group_reference: int
    volatility_reference: int
    accumulator: int
    last_update: int

    def encode(self) -> bytes:
        """Return the bytes that are in use."""
        return _FIELDS.pack(*(getattr(self, name) for name in _NAMES))

    def at_start(self, group: int, unix_timestamp: int) -> "DynamicFee":
        """Return what a swap that starts in `group` refers to: the same, decayed, or nothing."""
        elapsed = max(0, unix_timestamp - self.last_update)
        if elapsed < self.filter_period:
            return self
        decayed = mul_div_floor(self.accumulator, self.reduction_factor, BPS) if elapsed < self.decay_period else 0
        return replace(self, group_reference=group, volatility_reference=decayed, last_update=unix_timestamp)

    def accumulator_in(self, group: int) -> int:
        moved = self.volatility_reference + abs(self.group_reference - group) * _SCALE
        return min(moved, self.max_accumulator)

    def rate(self, accumulator: int, tick_spacing: int) -> int:
        """Return what comes on top of the trade rate, in millionths. Rounds up.

        Raises:
            ProgramPanics: the pool's settings overflow.
        """
        crossed = accumulator * tick_spacing
        if crossed > _U32_MAX:
            raise ProgramPanics("the dynamic fee's volatility exceeds u32")
        return min(MAX_FEE_RATE, mul_div_ceil(self.control, crossed * crossed, _RATE_SCALE))


def decode_dynamic_fee(data: bytes) -> DynamicFee | None:
    """Read the dynamic fee inside a pool account, None where all its bytes are zero."""
    if not any(data):
        return None
    values = dict(zip(_NAMES, _FIELDS.unpack_from(data), strict=True))
    return DynamicFee(**values)
