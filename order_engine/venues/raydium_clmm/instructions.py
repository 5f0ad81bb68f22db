"""The swap instruction of the Raydium CLMM program, as bytes.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src/instructions/swap_v2.rs, commit 03b44b7.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Trader
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from order_engine.venues.raydium_clmm.layout import PROGRAM_ID, PoolState

SWAP_V2: Final = bytes.fromhex("2b04ed0b1ac91e62")
MEMO_PROGRAM: Final = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
# amount, other amount threshold, square-root price limit (two halves, low first), amount is the input
_ARGUMENTS: Final = struct.Struct("<8sQQQQ?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapArguments:
    """`amount` is the input or the output; `threshold` bounds the other one. A price limit of 0 is none."""

    amount: int
    threshold: int
    sqrt_price_limit_x64: int = 0
    is_base_input: bool = True

    def encode(self) -> bytes:
        limit = self.sqrt_price_limit_x64
        halves = (limit % 2**64, limit >> 64)
        return _ARGUMENTS.pack(SWAP_V2, self.amount, self.threshold, *halves, self.is_base_input)


def decode_arguments(data: bytes) -> SwapArguments | None:
    """Read the instruction's data, None where it ends too early or the flag is neither false nor true."""
    if len(data) < _ARGUMENTS.size or data[_ARGUMENTS.size - 1] > 1:
        return None
    _, amount, threshold, low, high, is_base_input = _ARGUMENTS.unpack_from(data)
    return SwapArguments(
        amount=amount, threshold=threshold, sqrt_price_limit_x64=high << 64 | low, is_base_input=is_base_input
    )


def swap_v2(
    pool: Pubkey, state: PoolState, trader: Trader, side_in: int, arguments: SwapArguments, ahead: Iterable[Pubkey]
) -> Instruction:
    """Return the swap of token 0 or 1 (`side_in`). `ahead`: the bitmap extension if any, then tick arrays as met."""
    side_out = 1 - side_in
    accounts = [
        AccountMeta(trader.owner, is_signer=True, is_writable=False),
        _readonly(state.config),
        _writable(pool),
        _writable(trader.token_account_in),
        _writable(trader.token_account_out),
        _writable(state.vaults[side_in]),
        _writable(state.vaults[side_out]),
        _writable(state.observation),
        _readonly(TOKEN_PROGRAM),
        _readonly(TOKEN_2022_PROGRAM),
        _readonly(MEMO_PROGRAM),
        _readonly(state.mints[side_in]),
        _readonly(state.mints[side_out]),
        *map(_writable, ahead),
    ]
    return Instruction(PROGRAM_ID, arguments.encode(), accounts)


def _readonly(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=False)


def _writable(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=True)
