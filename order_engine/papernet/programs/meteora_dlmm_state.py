"""What a DLMM swap writes into its bins and its oracle.

The program's source is closed. A bin's own side takes the input without fees and gives the output; what providers earn
and what filled orders are owed stays in the vault, and no field of it is written. Of the oracle the latest sample
grows; when the program begins the next one is not known.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from order_engine.domain.amounts import U64_MAX
from order_engine.papernet.programs import PANIC, ProgramError, RuntimeProgramError
from order_engine.venues.meteora_dlmm.arrays import (
    OPEN_ORDER_AT,
    PROCESSED_REMAINING_AT,
    BinArray,
    array_index_of,
    bin_offset,
)
from order_engine.venues.meteora_dlmm.bins import Fill
from order_engine.venues.meteora_dlmm.refusals import MathOverflow

_X_AT, _Y_AT = 0, 8  # in a bin
_U64: Final = struct.Struct("<Q")
_ORACLE_HEAD: Final = struct.Struct("<8s 3Q")  # discriminator; 8 latest sample, 16 samples in use, 24 samples there
_SAMPLE: Final = struct.Struct("<16s 2q")  # 0 cumulative active id i128, 16 created, 24 updated


def filled_arrays(arrays: Iterable[BinArray], fills: Iterable[Fill], *, x_to_y: bool) -> dict[int, bytes]:
    """Return the data of the arrays that the fills change, by index."""
    by_index: defaultdict[int, list[Fill]] = defaultdict(list)
    for fill in fills:
        by_index[array_index_of(fill.bin_id)].append(fill)
    changed: dict[int, bytes] = {}
    for array in arrays:
        if array.index in by_index:
            data = bytearray(array.data)
            for fill in by_index[array.index]:
                _fill(data, bin_offset(fill.bin_id), fill, x_to_y=x_to_y)
            changed[array.index] = bytes(data)
    return changed


def _fill(data: bytearray, at: int, fill: Fill, *, x_to_y: bool) -> None:
    grows, shrinks = (_X_AT, _Y_AT) if x_to_y else (_Y_AT, _X_AT)
    _add(data, at + grows, fill.inputs[0])
    _add(data, at + shrinks, -fill.outputs[0])
    _add(data, at + PROCESSED_REMAINING_AT, -fill.outputs[1])
    _add(data, at + OPEN_ORDER_AT, -fill.outputs[2])


def _add(data: bytearray, at: int, change: int) -> None:
    value = _U64.unpack_from(data, at)[0] + change
    if value > U64_MAX:
        raise ProgramError(MathOverflow.program_error, "a bin cannot hold its input")
    _U64.pack_into(data, at, value)


def observed(oracle: bytes, active_id: int, unix_timestamp: int) -> bytes:
    """Return the oracle with the active bin's id added for every second since its last update.

    Raises:
        RuntimeProgramError: the program panics, as the account is cut off.
    """
    if len(oracle) < _ORACLE_HEAD.size:
        raise RuntimeProgramError(PANIC, f"an oracle of {len(oracle)} bytes")
    _, latest, in_use, _ = _ORACLE_HEAD.unpack_from(oracle)
    at = _ORACLE_HEAD.size + _SAMPLE.size * latest
    if in_use == 0 or at + _SAMPLE.size > len(oracle):
        return oracle
    cumulative, created, updated = _SAMPLE.unpack_from(oracle, at)
    total = int.from_bytes(cumulative, "little", signed=True) + active_id * (unix_timestamp - updated)
    grown = bytearray(oracle)
    _SAMPLE.pack_into(grown, at, total.to_bytes(16, "little", signed=True), created, unix_timestamp)
    return bytes(grown)
