"""Accounts as they were at any recent height, and who owns which."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from solders.account import Account
from solders.pubkey import Pubkey

from order_engine.papernet.images import Changes, token_holding
from order_engine.papernet.machine import Machine

UNDO_HEIGHTS: Final = 192  # finality and the most that a lagging node may lag, with room to spare


class Bank:
    """The live state is the machine's; older heights are read through images of what changed since."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._undo: dict[Pubkey, list[tuple[int, Account | None]]] = {}
        self._of_program: defaultdict[Pubkey, set[Pubkey]] = defaultdict(set)
        self._tokens_of: defaultdict[Pubkey, set[Pubkey]] = defaultdict(set)

    def load(self, address: Pubkey, account: Account) -> None:
        """Put an account that was always there."""
        self._machine.put(address, account)
        self._index(address, account)

    def remember(self, height: int, address: Pubkey, before: Account | None) -> None:
        """Keep what the account held before `height`; of several in one height the first counts."""
        self._undo.setdefault(address, []).append((height, before))
        if before is not None:
            self._index(address, before)

    def record(self, height: int, changes: Changes) -> None:
        """Note what already happened to the live state at `height`."""
        for address, change in changes.items():
            self.remember(height, address, change.before)
            if change.after is not None:
                self._index(address, change.after)

    def forget(self, height: int) -> None:
        """Drop images of this height and older ones."""
        for address, images in list(self._undo.items()):
            kept = [entry for entry in images if entry[0] > height]
            if kept:
                self._undo[address] = kept
                continue
            del self._undo[address]
            if self._machine.account(address) is None:
                self._unindex(address, images)

    def account(self, address: Pubkey, height: int) -> Account | None:
        """Return the account as it was when `height` was over."""
        for changed_at, before in self._undo.get(address, ()):
            if changed_at > height:
                return before
        return self._machine.account(address)

    def owned_by(self, program: Pubkey, height: int) -> Iterator[tuple[Pubkey, Account]]:
        for address in sorted(self._of_program.get(program, ()), key=bytes):
            account = self.account(address, height)
            if account is not None and account.owner == program:
                yield address, account

    def token_accounts(self, owner: Pubkey, height: int) -> Iterator[tuple[Pubkey, Account]]:
        for address in sorted(self._tokens_of.get(owner, ()), key=bytes):
            account = self.account(address, height)
            holding = token_holding(account)
            if account is not None and holding is not None and holding.owner == owner:
                yield address, account

    def _index(self, address: Pubkey, account: Account) -> None:
        self._of_program[account.owner].add(address)
        holding = token_holding(account)
        if holding is not None:
            self._tokens_of[holding.owner].add(address)

    def _unindex(self, address: Pubkey, images: list[tuple[int, Account | None]]) -> None:
        for _, before in images:
            if before is None:
                continue
            self._of_program[before.owner].discard(address)
            holding = token_holding(before)
            if holding is not None:
                self._tokens_of[holding.owner].discard(address)
