"""Mints as bytes: what is not one is refused, never misread."""

import struct

import pytest
from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, TransferFee, decode_mint

ADDRESS = Pubkey([3] * 32)
PLAIN = bytes(44) + bytes([6, 1]) + bytes(36)
FEES = bytes(72) + struct.pack("<QQH", 1, 50, 10) + struct.pack("<QQH", 9, 70, 20)
WITH_FEE = PLAIN.ljust(165, b"\0") + b"\1" + struct.pack("<HH", 1, 108) + FEES


def mint(data: bytes, owner: Pubkey = TOKEN_2022_PROGRAM) -> Account:
    return Account(owner=owner, lamports=1, data=data)


def test_a_plain_mint_has_decimals_and_no_fee() -> None:
    decoded = decode_mint(ADDRESS, mint(PLAIN, TOKEN_PROGRAM), 0)
    assert (decoded.decimals, decoded.transfer_fee) == (6, TransferFee(0, 0))


@pytest.mark.parametrize(("epoch", "fee"), [(8, TransferFee(50, 10)), (9, TransferFee(70, 20))])
def test_the_fee_in_force_depends_on_the_epoch(epoch: int, fee: TransferFee) -> None:
    assert decode_mint(ADDRESS, mint(WITH_FEE), epoch).transfer_fee == fee


@pytest.mark.parametrize("data", [b"", PLAIN[:81], bytes(82), WITH_FEE[:-1], WITH_FEE[:200], WITH_FEE[:165] + b"\2"])
def test_what_is_cut_off_or_never_initialised_is_unreadable(data: bytes) -> None:
    with pytest.raises(PoolUnreadable):
        decode_mint(ADDRESS, mint(data), 0)


def test_another_programs_account_is_no_mint() -> None:
    with pytest.raises(PoolUnreadable):
        decode_mint(ADDRESS, mint(PLAIN, Pubkey([9] * 32)), 0)
