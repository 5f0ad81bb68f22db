"""What Anchor programs do alike: the framework's error codes and the checks of accounts that come from it.

Source: solana-foundation/anchor, lang/error/src/lib.rs. Each program keeps the order of its own checks.
"""

from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Self

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.domain.tokens import TOKEN_PROGRAMS, Mint, decode_mint, token_amount
from order_engine.papernet.programs import ProgramError, ReadAccount, RuntimeProgramError
from order_engine.papernet.token_instructions import transfer_checked

INSTRUCTION_FALLBACK_NOT_FOUND: Final = 101
INSTRUCTION_DID_NOT_DESERIALIZE: Final = 102
CONSTRAINT_MUT: Final = 2000
CONSTRAINT_HAS_ONE: Final = 2001
CONSTRAINT_RAW: Final = 2003
CONSTRAINT_SEEDS: Final = 2006
CONSTRAINT_ADDRESS: Final = 2012
CONSTRAINT_TOKEN_TOKEN_PROGRAM: Final = 2021
REQUIRE_KEYS_EQ_VIOLATED: Final = 2502
ACCOUNT_DISCRIMINATOR_NOT_FOUND: Final = 3001
ACCOUNT_DISCRIMINATOR_MISMATCH: Final = 3002
ACCOUNT_DID_NOT_DESERIALIZE: Final = 3003
ACCOUNT_NOT_ENOUGH_KEYS: Final = 3005
ACCOUNT_NOT_MUTABLE: Final = 3006
ACCOUNT_OWNED_BY_WRONG_PROGRAM: Final = 3007
INVALID_PROGRAM_ID: Final = 3008
ACCOUNT_NOT_SIGNER: Final = 3010
ACCOUNT_NOT_INITIALIZED: Final = 3012
INVALID_ACCOUNT_DATA: Final = "InvalidAccountData"  # the runtime's own error

TOKEN_MINT: Final = slice(0, 32)  # of a token account


def require(holds: bool, code: int, what: str) -> None:
    if not holds:
        raise ProgramError(code, f"constraint violated: {what}")


def require_has_one(expected: Iterable[Pubkey], given: Iterable[AccountMeta]) -> None:
    """Check that the accounts are those that the pool names."""
    for address, meta in zip(expected, given, strict=True):
        require(meta.pubkey == address, CONSTRAINT_HAS_ONE, f"{meta.pubkey} of the pool, which has {address}:")


def require_writable(metas: Iterable[AccountMeta]) -> None:
    for meta in metas:
        require(meta.is_writable, CONSTRAINT_MUT, f"{meta.pubkey} as writable")


@contextmanager
def unreadable_as(error: int | str) -> Iterator[None]:
    """Refuse what cannot be read with a custom error code, or with the name of a runtime error."""
    try:
        yield
    except PoolUnreadable as unreadable:
        if isinstance(error, str):
            raise RuntimeProgramError(error, unreadable.message) from unreadable
        raise ProgramError(error, unreadable.message) from unreadable


def existing(address: Pubkey, read: ReadAccount) -> Account:
    account = read(address)
    if account is None:
        raise ProgramError(ACCOUNT_NOT_INITIALIZED, f"account {address} does not exist")
    return account


def token_owned(address: Pubkey, read: ReadAccount) -> Account:
    """Return an account of either token program: a mint or a token account."""
    account = existing(address, read)
    require(account.owner in TOKEN_PROGRAMS, ACCOUNT_OWNED_BY_WRONG_PROGRAM, f"the owner of {address}")
    return account


def token_account(address: Pubkey, read: ReadAccount, *, unreadable: int | str) -> Account:
    """Return a token account; `unreadable` is the error of one that cannot be read, in which programs differ."""
    account = token_owned(address, read)
    with unreadable_as(unreadable):
        token_amount(address, account)
    return account


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSide:
    """One of a pool's tokens, whose mint belongs to the token program that the instruction names."""

    vault: Pubkey
    mint: Pubkey
    token: Mint

    @classmethod
    def load(
        cls,
        vault: AccountMeta,
        mint: AccountMeta,
        program: AccountMeta,
        read: ReadAccount,
        epoch: int,
        *,
        programs: Set[Pubkey] = TOKEN_PROGRAMS,
    ) -> Self:
        """Read the mint, after checking that `program` is one of `programs`.

        Raises:
            ProgramError: the program, the mint's owner or its data is not what it must be.
        """
        require(program.pubkey in programs, INVALID_PROGRAM_ID, f"{program.pubkey} as token program")
        account = existing(mint.pubkey, read)
        is_of_program = account.owner == program.pubkey
        require(is_of_program, CONSTRAINT_TOKEN_TOKEN_PROGRAM, f"the token program of {mint.pubkey}")
        with unreadable_as(ACCOUNT_DID_NOT_DESERIALIZE):
            return cls(vault=vault.pubkey, mint=mint.pubkey, token=decode_mint(mint.pubkey, account, epoch))

    def transfer(self, source: Pubkey, destination: Pubkey, owner: Pubkey, amount: int) -> Instruction:
        return transfer_checked(
            token_program=self.token.token_program,
            source=source,
            mint=self.mint,
            destination=destination,
            owner=owner,
            amount=amount,
            decimals=self.token.decimals,
        )
