"""The pool account of Meteora DAMM v2, byte for byte, and the addresses its program derives.

Numbers are little-endian and unsigned. Bytes that no field names are kept as they are by `patch_pool`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.amounts import BPS
from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.venues.meteora_damm_v2.fee_state import (
    BASE_FEE_SIZE,
    DYNAMIC_FEE_SIZE,
    BaseFee,
    DynamicFee,
    decode_base_fee,
    decode_dynamic_fee,
)

PROGRAM_ID: Final = Pubkey.from_string("cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG")
POOL_AUTHORITY: Final = Pubkey.from_string("HLnpSz9h2S4hiLQ43rnSD9XkcUThA7B8hQMKmDaiTLcC")  # of "pool_authority"
EVENT_AUTHORITY: Final = Pubkey.from_string("3rmHSu74h1ZcmAisVcWerTCiRDQbUrBKmcwptYGjHfet")  # of "__event_authority"

POOL_SIZE: Final = 1112
DISCRIMINATOR: Final = bytes.fromhex("f19a6d0411b16dbc")
MINT_A_OFFSET: Final = 168
MINT_B_OFFSET: Final = 200
MIN_SQRT_PRICE: Final = 4295048016
MAX_SQRT_PRICE: Final = 79226673521066979257578248091

_PERCENT: Final = 100
_BASE_FEE: Final = slice(8, 8 + BASE_FEE_SIZE)
_DYNAMIC_FEE: Final = slice(56, 56 + DYNAMIC_FEE_SIZE)
_KEYS: Final[Mapping[str, slice]] = MappingProxyType(
    {
        "mint_a": slice(168, 200),
        "mint_b": slice(200, 232),
        "vault_a": slice(232, 264),
        "vault_b": slice(264, 296),
    }
)
_NUMBERS: Final[Mapping[str, slice]] = MappingProxyType(
    {
        "protocol_fee_percent": slice(48, 49),
        "referral_fee_percent": slice(50, 51),
        "compounding_fee_bps": slice(54, 56),
        "init_sqrt_price": slice(152, 168),
        "liquidity": slice(360, 376),
        "protocol_a_fee": slice(392, 400),
        "protocol_b_fee": slice(400, 408),
        "sqrt_min_price": slice(424, 440),
        "sqrt_max_price": slice(440, 456),
        "sqrt_price": slice(456, 472),
        "activation_point": slice(472, 480),
        "activation_type": slice(480, 481),
        "status": slice(481, 482),
        "token_a_flag": slice(482, 483),
        "token_b_flag": slice(483, 484),
        "collect_fee_mode": slice(484, 485),
        "fee_version": slice(486, 487),
        "token_a_amount": slice(680, 688),
        "token_b_amount": slice(688, 696),
        "layout_version": slice(696, 697),
    }
)
_CHANGED_BY_A_SWAP: Final = ("protocol_a_fee", "protocol_b_fee", "sqrt_price", "token_a_amount", "token_b_amount")


class ActivationType(IntEnum):
    SLOT = 0
    TIMESTAMP = 1


class CollectFeeMode(IntEnum):
    BOTH_TOKENS = 0  # always on the output
    ONLY_B = 1
    COMPOUNDING = 2  # as ONLY_B, and a part stays in the reserves


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """What a swap needs of a pool account. Amounts in base units, prices are square roots of B per A in Q64."""

    base_fee: BaseFee
    dynamic_fee: DynamicFee | None
    protocol_fee_percent: int
    referral_fee_percent: int
    compounding_fee_bps: int
    init_sqrt_price: int
    mint_a: Pubkey
    mint_b: Pubkey
    vault_a: Pubkey
    vault_b: Pubkey
    liquidity: int  # Q64
    protocol_a_fee: int
    protocol_b_fee: int
    sqrt_min_price: int
    sqrt_max_price: int
    sqrt_price: int
    activation_point: int  # unix seconds or slot, see activation_type
    activation_type: ActivationType
    status: int  # 0 open
    token_a_flag: int  # 0 SPL Token, 1 Token-2022
    token_b_flag: int
    collect_fee_mode: CollectFeeMode
    fee_version: int
    token_a_amount: int  # without fees; of no meaning while layout_version is 0
    token_b_amount: int
    layout_version: int


def decode_pool(address: Pubkey, account: Account) -> PoolState:
    """Read a pool account.

    Raises:
        PoolUnreadable: it is not a pool of this program, or of a kind we do not know.
    """
    data = account.data
    if account.owner != PROGRAM_ID or len(data) != POOL_SIZE or data[:8] != DISCRIMINATOR:
        raise PoolUnreadable(f"account {address} is not a pool of {PROGRAM_ID}")
    try:
        return _decode(data)
    except ValueError as unknown:
        raise PoolUnreadable(f"pool {address}: {unknown}") from unknown


def _decode(data: bytes) -> PoolState:
    number = {name: int.from_bytes(data[at], "little") for name, at in _NUMBERS.items()}
    key = {name: Pubkey.from_bytes(data[at]) for name, at in _KEYS.items()}
    _check_sound(number)
    return PoolState(
        base_fee=decode_base_fee(data[_BASE_FEE]),
        dynamic_fee=decode_dynamic_fee(data[_DYNAMIC_FEE]),
        protocol_fee_percent=number["protocol_fee_percent"],
        referral_fee_percent=number["referral_fee_percent"],
        compounding_fee_bps=number["compounding_fee_bps"],
        init_sqrt_price=number["init_sqrt_price"],
        mint_a=key["mint_a"],
        mint_b=key["mint_b"],
        vault_a=key["vault_a"],
        vault_b=key["vault_b"],
        liquidity=number["liquidity"],
        protocol_a_fee=number["protocol_a_fee"],
        protocol_b_fee=number["protocol_b_fee"],
        sqrt_min_price=number["sqrt_min_price"],
        sqrt_max_price=number["sqrt_max_price"],
        sqrt_price=number["sqrt_price"],
        activation_point=number["activation_point"],
        activation_type=ActivationType(number["activation_type"]),
        status=number["status"],
        token_a_flag=number["token_a_flag"],
        token_b_flag=number["token_b_flag"],
        collect_fee_mode=CollectFeeMode(number["collect_fee_mode"]),
        fee_version=number["fee_version"],
        token_a_amount=number["token_a_amount"],
        token_b_amount=number["token_b_amount"],
        layout_version=number["layout_version"],
    )


def _check_sound(number: Mapping[str, int]) -> None:
    """Refuse what the program never writes, or what a later version of it may mean otherwise."""
    if number["fee_version"] > 1 or number["layout_version"] > 1:
        raise ValueError(f"unknown version: fee {number['fee_version']}, layout {number['layout_version']}")
    if max(number["protocol_fee_percent"], number["referral_fee_percent"]) > _PERCENT:
        raise ValueError("a share of the fee is more than the fee")
    if number["compounding_fee_bps"] > BPS:
        raise ValueError("the compounding share of the fee is more than the fee")
    if number["collect_fee_mode"] == CollectFeeMode.COMPOUNDING:
        if number["layout_version"] == 0 or number["sqrt_price"] == 0:
            raise ValueError("a compounding pool without reserves")
    elif not 0 < number["sqrt_min_price"] <= number["sqrt_price"] <= number["sqrt_max_price"]:
        raise ValueError("the price is outside its bounds")


def encode_pool(state: PoolState) -> bytes:
    """Return a fresh pool account: every field of `state`, zeros elsewhere."""
    data = bytearray(POOL_SIZE)
    data[:8] = DISCRIMINATOR
    data[_BASE_FEE] = state.base_fee.encode()
    for name, at in _KEYS.items():
        data[at] = bytes(getattr(state, name))
    _put_numbers(data, state, _NUMBERS)
    _put_dynamic_fee(data, state.dynamic_fee)
    return bytes(data)


def patch_pool(data: bytes, state: PoolState) -> bytes:
    """Return `data` with the fields that a swap changes taken from `state`, all other bytes as they were."""
    patched = bytearray(data)
    _put_numbers(patched, state, _CHANGED_BY_A_SWAP)
    _put_dynamic_fee(patched, state.dynamic_fee)
    return bytes(patched)


def _put_numbers(data: bytearray, state: PoolState, names: Mapping[str, slice] | tuple[str, ...]) -> None:
    for name in names:
        at = _NUMBERS[name]
        value: int = getattr(state, name)
        data[at] = value.to_bytes(at.stop - at.start, "little")


def _put_dynamic_fee(data: bytearray, dynamic_fee: DynamicFee | None) -> None:
    if dynamic_fee is not None:
        data[_DYNAMIC_FEE] = dynamic_fee.encode()


def pool_address(config: Pubkey, mint_a: Pubkey, mint_b: Pubkey) -> Pubkey:
    """Return the address of the pair's one pool under a config, whichever mint is named first."""
    return _derive(b"pool", bytes(config), *_descending(mint_a, mint_b))


def custom_pool_address(mint_a: Pubkey, mint_b: Pubkey) -> Pubkey:
    """Return the address of the pair's one pool without a config, whichever mint is named first."""
    return _derive(b"cpool", *_descending(mint_a, mint_b))


def vault_address(mint: Pubkey, pool: Pubkey) -> Pubkey:
    return _derive(b"token_vault", bytes(mint), bytes(pool))


def _descending(mint_a: Pubkey, mint_b: Pubkey) -> tuple[bytes, bytes]:
    first, second = bytes(mint_a), bytes(mint_b)
    return (first, second) if first > second else (second, first)


def _derive(*seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), PROGRAM_ID)[0]
