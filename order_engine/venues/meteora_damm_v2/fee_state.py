"""The fee settings inside a pool account: how the base fee moves, and the volatility that the dynamic fee follows."""

import struct
from dataclasses import dataclass
from typing import Final

from order_engine.domain.amounts import BPS
from order_engine.domain.errors import PoolUnreadable

BASE_FEE_SIZE: Final = 32
DYNAMIC_FEE_SIZE: Final = 96

_MODE: Final = 8  # u8, behind the cliff fee u64
_TIME: Final = struct.Struct("<Q B 5x H Q Q")  # 0 cliff, 8 mode, 14 periods, 16 frequency, 24 reduction
_LIMITER: Final = struct.Struct(
    "<Q B 5x H I I Q"
)  # 0 cliff, 8 mode, 14 increment, 16 duration, 20 maximum, 24 reference
_MARKET_CAP: Final = struct.Struct("<Q B 5x H I I Q")  # 0 cliff, 8 mode, 14 periods, 16 step, 20 expiry, 24 reduction
_DYNAMIC: Final = struct.Struct("<B 7x I I H H H H Q")  # 0 initialized, 8, 12, 16, 18, 20, 22, 24; five u128 from 32
_WIDE: Final = struct.Struct("<16s 16s 16s 16s")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeScheduler:
    """The fee falls from the cliff once every `period_frequency`, counted from activation. Modes 0 and 1."""

    cliff_fee_numerator: int
    exponential: bool = False
    number_of_periods: int = 0
    period_frequency: int = 0  # seconds or slots, as the pool's activation; 0: the fee stays at the cliff
    reduction_factor: int = 0  # linear: of the numerator; exponential: bps

    def encode(self) -> bytes:
        return _TIME.pack(
            self.cliff_fee_numerator,
            int(self.exponential),
            self.number_of_periods,
            self.period_frequency,
            self.reduction_factor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimiter:
    """The fee grows with the size of a swap from B to A, for some time after activation. Mode 2."""

    cliff_fee_numerator: int
    fee_increment_bps: int
    max_limiter_duration: int
    max_fee_bps: int
    reference_amount: int

    def encode(self) -> bytes:
        return _LIMITER.pack(
            self.cliff_fee_numerator,
            2,
            self.fee_increment_bps,
            self.max_limiter_duration,
            self.max_fee_bps,
            self.reference_amount,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketCapScheduler:
    """The fee falls from the cliff as the price rises above the first one. Modes 3 and 4."""

    cliff_fee_numerator: int
    exponential: bool = False
    number_of_periods: int
    sqrt_price_step_bps: int
    scheduler_expiration_duration: int
    reduction_factor: int

    def encode(self) -> bytes:
        return _MARKET_CAP.pack(
            self.cliff_fee_numerator,
            3 + self.exponential,
            self.number_of_periods,
            self.sqrt_price_step_bps,
            self.scheduler_expiration_duration,
            self.reduction_factor,
        )


BaseFee = TimeScheduler | RateLimiter | MarketCapScheduler


def decode_base_fee(data: bytes) -> BaseFee:
    """Read the 32 bytes of the base fee.

    Raises:
        PoolUnreadable: the mode is not one we know.
    """
    match data[_MODE]:
        case 0 | 1:
            return _decode_time_scheduler(data)
        case 2:
            return _decode_rate_limiter(data)
        case 3 | 4:
            return _decode_market_cap_scheduler(data)
        case mode:
            raise PoolUnreadable(f"unknown base fee mode {mode}")


def _decode_time_scheduler(data: bytes) -> TimeScheduler:
    cliff, mode, periods, frequency, reduction = _TIME.unpack(data)
    return TimeScheduler(
        cliff_fee_numerator=cliff,
        exponential=mode == 1,
        number_of_periods=periods,
        period_frequency=frequency,
        reduction_factor=reduction,
    )


def _decode_rate_limiter(data: bytes) -> RateLimiter:
    cliff, _, increment, duration, maximum, reference = _LIMITER.unpack(data)
    return RateLimiter(
        cliff_fee_numerator=cliff,
        fee_increment_bps=increment,
        max_limiter_duration=duration,
        max_fee_bps=maximum,
        reference_amount=reference,
    )


def _decode_market_cap_scheduler(data: bytes) -> MarketCapScheduler:
    cliff, mode, periods, step, expiry, reduction = _MARKET_CAP.unpack(data)
    return MarketCapScheduler(
        cliff_fee_numerator=cliff,
        exponential=mode == 4,
        number_of_periods=periods,
        sqrt_price_step_bps=step,
        scheduler_expiration_duration=expiry,
        reduction_factor=reduction,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicFee:
    """Settings and memory of the volatility fee. Times are unix seconds, whatever the pool's activation counts in."""

    max_volatility_accumulator: int
    variable_fee_control: int
    bin_step: int
    filter_period: int
    decay_period: int
    reduction_factor: int  # bps
    last_update_timestamp: int
    bin_step_u128: int  # Q64
    sqrt_price_reference: int
    volatility_accumulator: int
    volatility_reference: int

    def encode(self) -> bytes:
        head = _DYNAMIC.pack(
            1,
            self.max_volatility_accumulator,
            self.variable_fee_control,
            self.bin_step,
            self.filter_period,
            self.decay_period,
            self.reduction_factor,
            self.last_update_timestamp,
        )
        wide = (
            self.bin_step_u128,
            self.sqrt_price_reference,
            self.volatility_accumulator,
            self.volatility_reference,
        )
        return head + _WIDE.pack(*(value.to_bytes(16, "little") for value in wide))


def decode_dynamic_fee(data: bytes) -> DynamicFee | None:
    """Read the 96 bytes of the dynamic fee, None where the pool has none.

    Raises:
        PoolUnreadable: the volatility would grow as time passes.
    """
    initialized, maximum, control, step, filter_, decay, reduction, last = _DYNAMIC.unpack_from(data)
    if not initialized:
        return None
    if reduction > BPS:
        raise PoolUnreadable(f"the dynamic fee keeps {reduction} bps of its volatility")
    wide = [int.from_bytes(value, "little") for value in _WIDE.unpack_from(data, _DYNAMIC.size)]
    return DynamicFee(
        max_volatility_accumulator=maximum,
        variable_fee_control=control,
        bin_step=step,
        filter_period=filter_,
        decay_period=decay,
        reduction_factor=reduction,
        last_update_timestamp=last,
        bin_step_u128=wide[0],
        sqrt_price_reference=wide[1],
        volatility_accumulator=wide[2],
        volatility_reference=wide[3],
    )
