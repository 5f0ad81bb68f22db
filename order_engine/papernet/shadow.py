"""Turns a transaction with venue instructions into one that the virtual machine can run without the venues' bytecode.

An emulated swap becomes its token transfers; a refused one becomes an instruction that always fails, at the same
place. So the order of errors, atomicity, fees and balances stay the machine's own.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from solders.account import Account
from solders.clock import Clock
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from order_engine.domain.pool import Account as DomainAccount
from order_engine.domain.tokens import TOKEN_PROGRAM
from order_engine.papernet.fees import compute_budget
from order_engine.papernet.images import to_domain, with_data
from order_engine.papernet.outcome import custom
from order_engine.papernet.programs import PANIC, EmulatedProgram, ProgramError, RuntimeProgramError, SwapEffects
from order_engine.papernet.transactions import Keys

Read = Callable[[Pubkey], Account | None]
_ALWAYS_FAILS: Final = Instruction(TOKEN_PROGRAM, b"\xfe", [])
_CONSTRAINT_MUT: Final = 2000  # Anchor: an account that changes must be writable


@dataclass(frozen=True, slots=True)
class Refusal:
    """The instruction that fails, and how."""

    index: int
    error: object  # the InstructionError of JSON-RPC, {"Custom": code} or a name
    message: str
    program: Pubkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    transaction: VersionedTransaction
    origin: tuple[int, ...]  # original index of each of its instructions
    refusal: Refusal | None
    accounts: Mapping[Pubkey, bytes]  # new data of the venues' own accounts, if all of it succeeds
    dummy_signers: int
    swaps: int


def is_needed(transaction: VersionedTransaction, keys: Keys, programs: Mapping[Pubkey, EmulatedProgram]) -> bool:
    return any(keys.program_of(instruction) in programs for instruction in transaction.message.instructions)


def unchanged(transaction: VersionedTransaction) -> Shadow:
    origin = tuple(range(len(transaction.message.instructions)))
    return Shadow(transaction=transaction, origin=origin, refusal=None, accounts={}, dummy_signers=0, swaps=0)


class ShadowBuilder:
    """Plans one transaction. `run_prefix` says what the accounts hold after the instructions planned so far."""

    def __init__(
        self,
        transaction: VersionedTransaction,
        keys: Keys,
        programs: Mapping[Pubkey, EmulatedProgram],
        read: Read,
        run_prefix: Callable[[Shadow], Mapping[Pubkey, Account]],
        clock: Clock,
    ) -> None:
        self._original, self._keys, self._programs = transaction, keys, programs
        self._read, self._run_prefix, self._clock = read, run_prefix, clock
        self._instructions: list[Instruction] = []
        self._origin: list[int] = []
        self._touched: set[Pubkey] = set()
        self._overlay: dict[Pubkey, bytes] = {}
        self._prefix: Mapping[Pubkey, Account] | None = None
        self._refusal: Refusal | None = None
        self._swaps = 0

    def build(self, forced: Refusal | None = None) -> Shadow:
        """Return the shadow; with `forced`, that instruction fails whatever it would have done."""
        for index, compiled in enumerate(self._original.message.instructions):
            if forced is not None and forced.index == index:
                self._refuse(forced)
            else:
                self._plan(index, self._keys.decompile(compiled))
            if self._refusal is not None:
                break
        self._keep_compute_limit()
        return self._compiled()

    def _plan(self, index: int, instruction: Instruction) -> None:
        program = self._programs.get(instruction.program_id)
        if program is None:
            self._add(index, instruction)
            return
        try:
            effects = program.execute(bytes(instruction.data), instruction.accounts, self._current, self._clock)
            _check_writable(effects, instruction)
        except ProgramError as error:
            reason = error.name if isinstance(error, RuntimeProgramError) else custom(error.code)
            self._refuse(Refusal(index, reason, str(error), instruction.program_id))
            return
        except (ArithmeticError, ValueError, IndexError, struct.error) as error:
            self._refuse(Refusal(index, PANIC, f"panicked: {error}", instruction.program_id))
            return
        for transfer in effects.transfers:
            self._add(index, transfer)
        self._overlay.update(effects.accounts)
        self._swaps += 1

    def _add(self, index: int, instruction: Instruction) -> None:
        self._instructions.append(instruction)
        self._origin.append(index)
        self._touched.update(meta.pubkey for meta in instruction.accounts if meta.is_writable)
        self._prefix = None

    def _refuse(self, refusal: Refusal) -> None:
        self._refusal = refusal
        self._instructions.append(_ALWAYS_FAILS)
        self._origin.append(refusal.index)

    def _current(self, address: Pubkey) -> DomainAccount | None:
        account = self._read(address)
        if address in self._touched:
            if self._prefix is None:
                self._prefix = self._run_prefix(self._compiled())
            account = self._prefix.get(address, account)
        if account is not None and address in self._overlay:
            account = with_data(account, self._overlay[address])
        return to_domain(account) if account is None or account.lamports else None

    def _keep_compute_limit(self) -> None:
        """Fix the limit the original has by default: the priority fee depends on it."""
        originals = self._original.message.instructions
        budget = compute_budget((self._keys.program_of(ix), bytes(ix.data)) for ix in originals)
        if budget.price_micro_lamports and not budget.has_explicit_limit:
            self._instructions.append(set_compute_unit_limit(budget.limit))
            self._origin.append(len(originals) - 1)

    def _compiled(self) -> Shadow:
        message = MessageV0.try_compile(self._keys.payer, self._signing(), [], self._original.message.recent_blockhash)
        signers = message.header.num_required_signatures
        signatures = [self._original.signatures[0]] + [Signature.default()] * (signers - 1)
        return Shadow(
            transaction=VersionedTransaction.populate(message, signatures),
            origin=tuple(self._origin),
            refusal=self._refusal,
            accounts=dict(self._overlay),
            dummy_signers=signers - self._keys.signer_count,
            swaps=self._swaps,
        )

    def _signing(self) -> list[Instruction]:
        """Return the instructions with all original signers, also those that only a replaced instruction named."""
        named = {meta.pubkey for instruction in self._instructions for meta in instruction.accounts if meta.is_signer}
        missing = [s for s in self._keys.addresses[1 : self._keys.signer_count] if s not in named]
        if not missing or not self._instructions:
            return self._instructions
        first = self._instructions[0]
        metas = [*first.accounts, *(AccountMeta(signer, True, False) for signer in missing)]
        return [Instruction(first.program_id, bytes(first.data), metas), *self._instructions[1:]]


def _check_writable(effects: SwapEffects, instruction: Instruction) -> None:
    writable = {meta.pubkey for meta in instruction.accounts if meta.is_writable}
    changed = {meta.pubkey for transfer in effects.transfers for meta in transfer.accounts if meta.is_writable}
    for address in (*effects.accounts, *changed):
        if address not in writable:
            raise ProgramError(_CONSTRAINT_MUT, f"A mut constraint was violated: {address}")
