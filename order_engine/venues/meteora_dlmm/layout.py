"""The pool account of Meteora DLMM, byte for byte, and the addresses its program derives.

Numbers are little-endian. The program's source is closed: bytes that no field names are kept as they are.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.amounts import BPS
from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account

PROGRAM_ID: Final = Pubkey.from_string("LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo")
EVENT_AUTHORITY: Final = Pubkey.from_string("D1ZN9Wj1fRSUQfCjhvnu1hqDMT7hzjzBBpi12nVniYD6")  # of "__event_authority"

PAIR_DISCRIMINATOR: Final = bytes.fromhex("210b3162b565b10d")
ORACLE_DISCRIMINATOR: Final = bytes.fromhex("8bc283b38cb3e5f4")
PAIR_SIZE: Final = 904
MINT_X_OFFSET, MINT_Y_OFFSET = 88, 120

NO_KEY: Final = Pubkey.default()
MINING, LIMIT_ORDER = 1, 2  # PairState.function_type; 0 is undetermined
FEE_ON_INPUT, FEE_ON_Y = 0, 1  # PairState.collect_fee_mode
BY_SLOT, BY_TIME = 0, 1  # PairState.activation_type
BY_BASE_KEY: Final = (2, 3)  # PairState.pair_type of pools whose address comes from their base key

# 0 discriminator; 8 base factor, filter, decay, reduction; 16 variable fee control, 20 maximum volatility; 24 lowest,
# 28 highest id; 32 protocol share, 34 power, 35 function type, 36 collect fee mode; 40 volatility accumulator, 44
# reference, 48 index reference, 56 last update; 72 bump, 73 bin step seed, 75 pair type, 76 active id, 80 bin step,
# 82 status, 86 activation type; 88 mints, 152 reserves, 216 protocol fees
_PAIR: Final = struct.Struct("<8s 4H 2I 2i H 3B 3x 2I i 4x q 8x B H B i H B 3x B x 32s 32s 32s 32s 2Q")
_PAIR_TAIL: Final = struct.Struct("<32s 128s 72x 32s Q")  # 552 oracle, 584 bitmap, 784 base key, 816 activation point
_TAIL_AT: Final = 552
_TOKEN_FLAGS: Final = slice(880, 882)  # 0 SPL Token, 1 Token-2022; X, then Y
_VOLATILITY: Final = struct.Struct("<2I i 4x q")
_VOLATILITY_AT, _ACTIVE_ID_AT, _PROTOCOL_FEES_AT = 40, 76, 216


@dataclass(frozen=True, slots=True, kw_only=True)
class PairState:
    """What a swap needs of a pool account. Amounts in base units."""

    base_factor: int
    filter_period: int  # seconds
    decay_period: int
    reduction_factor: int  # bps
    variable_fee_control: int
    max_volatility_accumulator: int
    min_id: int = -443_636
    max_id: int = 443_636
    protocol_share: int  # bps of the fee
    base_fee_power: int = 0
    function_type: int = MINING
    collect_fee_mode: int = FEE_ON_INPUT
    volatility_accumulator: int = 0
    volatility_reference: int = 0
    index_reference: int = 0
    last_update_timestamp: int = 0
    bump: int = 255
    bin_step_seed: int = 0
    pair_type: int = 0
    active_id: int
    bin_step: int
    status: int = 0  # 0 open
    activation_type: int = BY_SLOT
    mint_x: Pubkey
    mint_y: Pubkey
    reserve_x: Pubkey
    reserve_y: Pubkey
    protocol_fee_x: int = 0
    protocol_fee_y: int = 0
    oracle: Pubkey
    bitmap: int  # bit index + 512 says that the array exists and holds something
    base_key: Pubkey = NO_KEY
    activation_point: int = 0
    token_flags: tuple[int, int] = (0, 0)


def decode_pair(address: Pubkey, account: Account) -> PairState:
    """Read a pool account.

    Raises:
        PoolUnreadable: it is not a pool of this program, or of a kind we do not know.
    """
    check_kind(address, account, PAIR_DISCRIMINATOR, PAIR_SIZE)
    state = _pair(account.data)
    if problem := _problem(state):
        raise PoolUnreadable(f"pool {address}: {problem}")
    return state


def _pair(data: bytes) -> PairState:
    head = _PAIR.unpack_from(data)
    mint_x, mint_y, reserve_x, reserve_y = map(Pubkey, head[24:28])
    oracle, bitmap, base_key, activation_point = _PAIR_TAIL.unpack_from(data, _TAIL_AT)
    flag_x, flag_y = data[_TOKEN_FLAGS]
    return PairState(
        base_factor=head[1],
        filter_period=head[2],
        decay_period=head[3],
        reduction_factor=head[4],
        variable_fee_control=head[5],
        max_volatility_accumulator=head[6],
        min_id=head[7],
        max_id=head[8],
        protocol_share=head[9],
        base_fee_power=head[10],
        function_type=head[11],
        collect_fee_mode=head[12],
        volatility_accumulator=head[13],
        volatility_reference=head[14],
        index_reference=head[15],
        last_update_timestamp=head[16],
        bump=head[17],
        bin_step_seed=head[18],
        pair_type=head[19],
        active_id=head[20],
        bin_step=head[21],
        status=head[22],
        activation_type=head[23],
        mint_x=mint_x,
        mint_y=mint_y,
        reserve_x=reserve_x,
        reserve_y=reserve_y,
        protocol_fee_x=head[28],
        protocol_fee_y=head[29],
        oracle=Pubkey(oracle),
        bitmap=int.from_bytes(bitmap, "little"),
        base_key=Pubkey(base_key),
        activation_point=activation_point,
        token_flags=(flag_x, flag_y),
    )


def _problem(state: PairState) -> str | None:
    """Name what the program never writes, or what a later version of it may mean otherwise."""
    if state.function_type > LIMIT_ORDER or state.collect_fee_mode > FEE_ON_Y or state.activation_type > BY_TIME:
        return "an unknown mode"
    if state.protocol_share > BPS or state.reduction_factor > BPS:
        return "a share is more than the whole"
    if state.bin_step == 0 or not state.min_id <= state.active_id <= state.max_id:
        return "no price"
    return None


def encode_pair(state: PairState) -> bytes:
    """Return a fresh pool account: every field of `state`, zeros elsewhere."""
    data = bytearray(PAIR_SIZE)
    _PAIR.pack_into(
        data,
        0,
        PAIR_DISCRIMINATOR,
        *(state.base_factor, state.filter_period, state.decay_period, state.reduction_factor),
        *(state.variable_fee_control, state.max_volatility_accumulator, state.min_id, state.max_id),
        *(state.protocol_share, state.base_fee_power, state.function_type, state.collect_fee_mode),
        *_volatility(state),
        *(state.bump, state.bin_step_seed, state.pair_type, state.active_id, state.bin_step),
        *(state.status, state.activation_type),
        *map(bytes, (state.mint_x, state.mint_y, state.reserve_x, state.reserve_y)),
        *(state.protocol_fee_x, state.protocol_fee_y),
    )
    bitmap = state.bitmap.to_bytes(128, "little")
    _PAIR_TAIL.pack_into(data, _TAIL_AT, bytes(state.oracle), bitmap, bytes(state.base_key), state.activation_point)
    data[_TOKEN_FLAGS] = bytes(state.token_flags)
    return bytes(data)


def patch_pair(data: bytes, state: PairState) -> bytes:
    """Return `data` with the fields that a swap changes taken from `state`, all other bytes as they were."""
    patched = bytearray(data)
    _VOLATILITY.pack_into(patched, _VOLATILITY_AT, *_volatility(state))
    struct.pack_into("<i", patched, _ACTIVE_ID_AT, state.active_id)
    struct.pack_into("<2Q", patched, _PROTOCOL_FEES_AT, state.protocol_fee_x, state.protocol_fee_y)
    return bytes(patched)


def _volatility(state: PairState) -> tuple[int, int, int, int]:
    return (
        state.volatility_accumulator,
        state.volatility_reference,
        state.index_reference,
        state.last_update_timestamp,
    )


@lru_cache(maxsize=16_384)
def array_address(pair: Pubkey, index: int) -> Pubkey:
    return _derive(b"bin_array", bytes(pair), struct.pack("<q", index))


@lru_cache(maxsize=4_096)
def extension_address(pair: Pubkey) -> Pubkey:
    return _derive(b"bitmap", bytes(pair))


def oracle_address(pair: Pubkey) -> Pubkey:
    return _derive(b"oracle", bytes(pair))


def reserve_address(pair: Pubkey, mint: Pubkey) -> Pubkey:
    return _derive(bytes(pair), bytes(mint))


def pair_address(mint_x: Pubkey, mint_y: Pubkey, bin_step: int, base_factor: int) -> Pubkey:
    """Return the address of the permissionless pool of a pair, whichever mint is named first."""
    return _derive(*sorted((bytes(mint_x), bytes(mint_y))), struct.pack("<2H", bin_step, base_factor))


def custom_pair_address(base_key: Pubkey, mint_x: Pubkey, mint_y: Pubkey) -> Pubkey:
    """Return the address of a pool of one of the BY_BASE_KEY types, whichever mint is named first."""
    return _derive(bytes(base_key), *sorted((bytes(mint_x), bytes(mint_y))))


def _derive(*seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), PROGRAM_ID)[0]


def check_kind(address: Pubkey, account: Account, discriminator: bytes, size: int) -> None:
    """Raise PoolUnreadable unless the program owns the account, and it is of this kind."""
    if account.owner != PROGRAM_ID:
        raise PoolUnreadable(f"account {address} is owned by {account.owner}, not {PROGRAM_ID}")
    if len(account.data) != size or account.data[:8] != discriminator:
        raise PoolUnreadable(f"account {address} is of another kind ({len(account.data)} bytes)")
