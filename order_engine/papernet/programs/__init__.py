"""The venues' swap instructions, carried out without the programs' bytecode.

Each program decodes its own instruction, does the exact maths of the venue on the real account bytes, and says which
token transfers to make and which of its accounts change. The network makes the transfers in the virtual machine, so
that balances, signatures and atomicity are the machine's own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account

ReadAccount = Callable[[Pubkey], Account | None]
PANIC: Final = "ProgramFailedToComplete"  # the runtime's word for a program that panicked


class ProgramError(Exception):
    """The program refuses: the transaction fails with this custom error code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class RuntimeProgramError(ProgramError):
    """The program fails with one of the runtime's own errors: `name` stands in JSON-RPC instead of {"Custom": code}."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(0, message)
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapEffects:
    transfers: tuple[Instruction, ...]  # token instructions; vault authorities sign though no key exists for them
    accounts: Mapping[Pubkey, bytes]  # new data of the program's own accounts


class EmulatedProgram(Protocol):
    PROGRAM_ID: ClassVar[Pubkey]

    def execute(self, data: bytes, accounts: Sequence[AccountMeta], read: ReadAccount, clock: Clock) -> SwapEffects:
        """Carry out one instruction. `read` already shows what earlier instructions of the transaction did.

        Raises:
            ProgramError: with the code that the real program would return.
        """
        ...
