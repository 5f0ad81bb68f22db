"""Accounts as the virtual machine holds them, and what a transaction did to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from solders.account import Account
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account as DomainAccount
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAMS

RENT_EPOCH: Final = 2**64 - 1
SYSTEM_PROGRAM: Final = Pubkey.default()
TOKEN_ACCOUNT_SIZE: Final = 165
_ACCOUNT_TYPE, _TYPE_TOKEN_ACCOUNT = 165, 2
_RENT_LAMPORTS_PER_BYTE, _ACCOUNT_OVERHEAD = 6_960, 128


def rent_exempt_lamports(size: int) -> int:
    return (size + _ACCOUNT_OVERHEAD) * _RENT_LAMPORTS_PER_BYTE


def image(owner: Pubkey, data: bytes, lamports: int | None = None, *, executable: bool = False) -> Account:
    """Return an account; without `lamports` it holds just its rent."""
    held = rent_exempt_lamports(len(data)) if lamports is None else lamports
    return Account(held, data, owner, executable, RENT_EPOCH)


def with_data(account: Account, data: bytes) -> Account:
    return image(account.owner, data, account.lamports, executable=account.executable)


def to_domain(account: Account | None) -> DomainAccount | None:
    if account is None:
        return None
    return DomainAccount(owner=account.owner, lamports=account.lamports, data=bytes(account.data))


@dataclass(frozen=True, slots=True)
class Change:
    """One account before and after; None where it does not exist."""

    before: Account | None
    after: Account | None


Changes: TypeAlias = Mapping[Pubkey, Change]


def merged(changes: list[Changes]) -> dict[Pubkey, Change]:
    """Return what several changes in a row did together."""
    total: dict[Pubkey, Change] = {}
    for batch in changes:
        for address, change in batch.items():
            first = total.get(address, change)
            total[address] = Change(first.before, change.after)
    return total


@dataclass(frozen=True, slots=True)
class TokenHolding:
    mint: Pubkey
    owner: Pubkey
    amount: int
    program: Pubkey


def token_holding(account: Account | None) -> TokenHolding | None:
    """Read a token account; None for anything else, a mint with extensions included."""
    if account is None or account.owner not in TOKEN_PROGRAMS:
        return None
    data = bytes(account.data)
    extended = (
        account.owner == TOKEN_2022_PROGRAM
        and len(data) > TOKEN_ACCOUNT_SIZE
        and data[_ACCOUNT_TYPE] == _TYPE_TOKEN_ACCOUNT
    )
    if len(data) != TOKEN_ACCOUNT_SIZE and not extended:
        return None
    amount = int.from_bytes(data[64:72], "little")
    return TokenHolding(Pubkey(data[:32]), Pubkey(data[32:64]), amount, account.owner)
