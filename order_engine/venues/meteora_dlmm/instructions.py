"""The program's swap instructions as bytes and account lists."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Trader
from order_engine.venues.meteora_dlmm.layout import EVENT_AUTHORITY, PROGRAM_ID, PairState

SWAP2: Final = bytes.fromhex("414b3f4ceb5b5b88")  # amount_in, min_amount_out, slices
SWAP_EXACT_OUT2: Final = bytes.fromhex("2bd7f784893cf351")  # max_amount_in, amount_out, slices
SWAP: Final = bytes.fromhex("f8c69e91e17587c8")  # amount_in, min_amount_out; SPL Token only, and no memo account
ARGUMENTS: Final = struct.Struct("<QQ")
SLICE_COUNT: Final = struct.Struct("<I")
SLICE: Final = struct.Struct("<BB")  # what the slice is for, how many accounts
MEMO_PROGRAM: Final = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapAccounts:
    """What a swap instruction names. X and Y keep their places; the direction follows from the trader's accounts."""

    pool: Pubkey
    state: PairState
    token_programs: tuple[Pubkey, Pubkey]
    trader: Trader
    extension: Pubkey | None = None
    host_fee: Pubkey | None = None
    bin_arrays: Sequence[Pubkey]  # that the swap walks, in its order

    def metas(self, *, memo: bool = True) -> list[AccountMeta]:
        state, trader = self.state, self.trader
        return [
            _writable(self.pool),
            _optional(self.extension),
            _writable(state.reserve_x),
            _writable(state.reserve_y),
            _writable(trader.token_account_in),
            _writable(trader.token_account_out),
            _readonly(state.mint_x),
            _readonly(state.mint_y),
            _writable(state.oracle),
            _optional(self.host_fee),
            AccountMeta(trader.owner, is_signer=True, is_writable=False),
            _readonly(self.token_programs[0]),
            _readonly(self.token_programs[1]),
            *([_readonly(MEMO_PROGRAM)] if memo else []),
            _readonly(EVENT_AUTHORITY),
            _readonly(PROGRAM_ID),
            *map(_writable, self.bin_arrays),
        ]


def swap2(accounts: SwapAccounts, *, amount_in: int, min_amount_out: int) -> Instruction:
    """Return an exact-in swap without transfer hooks."""
    data = SWAP2 + ARGUMENTS.pack(amount_in, min_amount_out) + SLICE_COUNT.pack(0)
    return Instruction(PROGRAM_ID, data, accounts.metas())


def swap_exact_out2(accounts: SwapAccounts, *, max_amount_in: int, amount_out: int) -> Instruction:
    """Return an exact-out swap without transfer hooks."""
    data = SWAP_EXACT_OUT2 + ARGUMENTS.pack(max_amount_in, amount_out) + SLICE_COUNT.pack(0)
    return Instruction(PROGRAM_ID, data, accounts.metas())


def swap(accounts: SwapAccounts, *, amount_in: int, min_amount_out: int) -> Instruction:
    """Return the older exact-in swap, for two mints of the SPL Token program."""
    return Instruction(PROGRAM_ID, SWAP + ARGUMENTS.pack(amount_in, min_amount_out), accounts.metas(memo=False))


def _optional(address: Pubkey | None) -> AccountMeta:
    return _readonly(PROGRAM_ID) if address is None else _writable(address)


def _readonly(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=False)


def _writable(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=True)
