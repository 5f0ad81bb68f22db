"""The price observations that a Raydium CPMM swap leaves behind.

Source: raydium-io/raydium-cp-swap (Apache-2.0), commit 609780f, programs/cp-swap/src/states/oracle.rs, `update`.
"""

import struct
from typing import Final

from order_engine.papernet.programs import PANIC, RuntimeProgramError

COUNT: Final = 100
SIZE: Final = 4_075
INTERVAL_SECONDS: Final = 15  # a younger observation is added to instead of followed by the next one
_Q32: Final = 2**32
_U128: Final = 2**128
_INITIALIZED, _INDEX, _OBSERVATIONS, _LAST_UPDATE = 8, 9, 43, 4043
_OBSERVATION: Final = struct.Struct("<Q16s16s")  # unix time, cumulative price of token 0 and of token 1


def observe(data: bytes, unix_timestamp: int, reserves: tuple[int, int]) -> bytes:
    """Return the observation account after a swap on a pool that had `reserves` before it.

    Prices are Q32 and weighted by the seconds since the last update; the first swap only starts the clock.

    Raises:
        RuntimeProgramError: the program panics, as the account is cut off or its latest observation beyond the last.
    """
    changed = bytearray(data)
    index = _latest(data)
    if not data[_INITIALIZED]:
        changed[_INITIALIZED] = 1
        _write(changed, index, unix_timestamp, (0, 0))
        struct.pack_into("<Q", changed, _LAST_UPDATE, unix_timestamp)
        return bytes(changed)
    observed_at, cumulative_0, cumulative_1 = _read(data, index)
    (last_update,) = struct.unpack_from("<Q", data, _LAST_UPDATE)
    last_update = last_update or observed_at  # 0 in accounts older than the field
    struct.pack_into("<Q", changed, _LAST_UPDATE, last_update)
    age, elapsed = unix_timestamp - observed_at, unix_timestamp - last_update
    if age <= 0 or elapsed <= 0:
        return bytes(changed)
    cumulative = (
        cumulative_0 + reserves[1] * _Q32 // reserves[0] * elapsed,
        cumulative_1 + reserves[0] * _Q32 // reserves[1] * elapsed,
    )
    if age < INTERVAL_SECONDS:
        _write(changed, index, observed_at, cumulative)
    else:
        index = (index + 1) % COUNT
        _write(changed, index, unix_timestamp, cumulative)
        struct.pack_into("<H", changed, _INDEX, index)
    struct.pack_into("<Q", changed, _LAST_UPDATE, unix_timestamp)
    return bytes(changed)


def _latest(data: bytes) -> int:
    if len(data) < SIZE:
        raise RuntimeProgramError(PANIC, f"an observation account of {len(data)} bytes")
    index: int = struct.unpack_from("<H", data, _INDEX)[0]
    if index >= COUNT:
        raise RuntimeProgramError(PANIC, f"observation {index} of {COUNT}")
    return index


def _read(data: bytes, index: int) -> tuple[int, int, int]:
    at, price_0, price_1 = _OBSERVATION.unpack_from(data, _OBSERVATIONS + index * _OBSERVATION.size)
    return at, int.from_bytes(price_0, "little"), int.from_bytes(price_1, "little")


def _write(data: bytearray, index: int, at: int, cumulative: tuple[int, int]) -> None:
    price_0, price_1 = ((price % _U128).to_bytes(16, "little") for price in cumulative)
    _OBSERVATION.pack_into(data, _OBSERVATIONS + index * _OBSERVATION.size, at, price_0, price_1)
