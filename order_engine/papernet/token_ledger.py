"""Token balances moved as the token programs move them, without a virtual machine."""

import struct
from collections.abc import MutableMapping
from dataclasses import dataclass, replace

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.pool import Account
from order_engine.domain.tokens import decode_mint, token_amount
from order_engine.papernet.programs import ProgramError, RuntimeProgramError
from order_engine.papernet.token_instructions import TRANSFER, TRANSFER_CHECKED, TRANSFER_CHECKED_TAG, TRANSFER_TAG

INSUFFICIENT_FUNDS, MINT_MISMATCH, OWNER_MISMATCH, OVERFLOW, DECIMALS_MISMATCH = 1, 3, 4, 14, 18
_AMOUNT_OFFSET, _STATE_OFFSET, _SIZE = 64, 108, 165


def token_account_data(mint: Pubkey, owner: Pubkey, amount: int) -> bytes:
    """Return an initialized token account without extensions."""
    data = bytearray(_SIZE)
    struct.pack_into("<32s32sQ", data, 0, bytes(mint), bytes(owner), amount)
    data[_STATE_OFFSET] = 1
    return bytes(data)


@dataclass(frozen=True, slots=True)
class TokenLedger:
    """Applies transfers to `accounts`, at the transfer fees of one epoch."""

    accounts: MutableMapping[Pubkey, Account]
    epoch: int

    def balance(self, address: Pubkey) -> int:
        return token_amount(address, self.accounts[address])

    def write(self, address: Pubkey, data: bytes) -> None:
        self.accounts[address] = replace(self.accounts[address], data=data)

    def transfer(self, instruction: Instruction) -> None:
        """Carry out a TransferChecked, or a Transfer between accounts without extensions.

        Raises:
            ProgramError: with the token program's code.
        """
        if bytes(instruction.data)[0] == TRANSFER_TAG:
            self._transfer_unchecked(instruction)
        else:
            self._transfer_checked(instruction)

    def _transfer_unchecked(self, instruction: Instruction) -> None:
        _, amount = TRANSFER.unpack(instruction.data)
        source, destination, owner = (meta.pubkey for meta in instruction.accounts)
        for address in (source, destination):
            self._check_program(address, instruction.program_id)
        self._check_funds(source, amount)
        self._check_parties(source, destination, Pubkey(self.accounts[source].data[:32]), owner)
        if source != destination:
            self._add(source, -amount)
            self._add(destination, amount)

    def _transfer_checked(self, instruction: Instruction) -> None:
        kind, amount, decimals = TRANSFER_CHECKED.unpack(instruction.data)
        source, mint_address, destination, owner = (meta.pubkey for meta in instruction.accounts)
        if kind != TRANSFER_CHECKED_TAG:
            raise RuntimeProgramError("InvalidInstructionData", f"token instruction {kind} is not a TransferChecked")
        for address in (source, mint_address, destination):
            self._check_program(address, instruction.program_id)
        mint = decode_mint(mint_address, self.accounts[mint_address], self.epoch)
        self._check_funds(source, amount)
        self._check_parties(source, destination, mint_address, owner)
        if mint.decimals != decimals:
            raise ProgramError(DECIMALS_MISMATCH, "wrong decimals")
        if source != destination:
            self._add(source, -amount)
            self._add(destination, amount - mint.transfer_fee.on(amount))

    def _check_program(self, address: Pubkey, program: Pubkey) -> None:
        if self.accounts[address].owner != program:
            raise RuntimeProgramError("IncorrectProgramId", f"{address} belongs to the other token program")

    def _check_funds(self, source: Pubkey, amount: int) -> None:
        if self.balance(source) < amount:
            raise ProgramError(INSUFFICIENT_FUNDS, f"{source} holds less than {amount}")

    def _check_parties(self, source: Pubkey, destination: Pubkey, mint: Pubkey, owner: Pubkey) -> None:
        if any(self.accounts[account].data[:32] != bytes(mint) for account in (source, destination)):
            raise ProgramError(MINT_MISMATCH, "an account holds another token")
        if self.accounts[source].data[32:64] != bytes(owner):
            raise ProgramError(OWNER_MISMATCH, "the signer does not own the source")

    def _add(self, address: Pubkey, change: int) -> None:
        balance = self.balance(address) + change
        if balance > U64_MAX:
            raise ProgramError(OVERFLOW, f"{address} cannot hold {balance}")
        data = bytearray(self.accounts[address].data)
        struct.pack_into("<Q", data, _AMOUNT_OFFSET, balance)
        self.write(address, bytes(data))
