"""What survives a kill: landed transactions and account images, on disk before anybody can see them."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from solders.account import Account
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.papernet.images import Changes, image
from order_engine.papernet.outcome import ChainError

_SCHEMA: Final = (
    "PRAGMA locking_mode = EXCLUSIVE",  # two networks on one journal would each lose what the other wrote
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "CREATE TABLE IF NOT EXISTS setting (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS account (address BLOB PRIMARY KEY, lamports INT, owner BLOB, executable INT,"
    " data BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS undo (height INT, address BLOB, lamports INT, owner BLOB, executable INT,"
    " data BLOB, PRIMARY KEY (height, address)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS landed (id INTEGER PRIMARY KEY, signature BLOB UNIQUE, height INT, block_time INT,"
    " raw BLOB, error TEXT, meta BLOB)",
    "CREATE TABLE IF NOT EXISTS mention (address BLOB, id INT, PRIMARY KEY (address, id)) WITHOUT ROWID",
)


class JournalLocked(Exception):
    """Another process runs a network on this journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedTransaction:
    signature: Signature
    height: int
    block_time: int
    error: ChainError | None
    raw: bytes
    meta: bytes  # JSON, as getTransaction returns it
    mentions: tuple[Pubkey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureEntry:
    signature: Signature
    height: int
    block_time: int
    error: ChainError | None


class Journal:
    def __init__(self, directory: Path) -> None:
        """Open or create the journal.

        Raises:
            JournalLocked: another process has it open.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(directory / "journal.db", isolation_level=None, timeout=0.5)
        try:
            for statement in _SCHEMA:
                self._db.execute(statement)
        except sqlite3.OperationalError as error:
            self._db.close()
            raise JournalLocked(f"{directory}: {error}; is another paper network running on it?") from error

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def setting(self, key: str) -> str | int | None:
        row = self._db.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put_settings(self, values: Mapping[str, str | int]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO setting VALUES (?, ?)", values.items())

    def accounts(self) -> Iterator[tuple[Pubkey, Account]]:
        rows = self._db.execute("SELECT address, lamports, owner, executable, data FROM account")
        for address, lamports, owner, executable, data in rows:
            yield Pubkey(address), _account(lamports, owner, executable, data)

    def undo(self) -> Iterator[tuple[int, Pubkey, Account | None]]:
        """Return (height, address, image before that height), oldest first."""
        rows = self._db.execute("SELECT * FROM undo ORDER BY height")
        for height, address, lamports, owner, executable, data in rows:
            before = None if lamports is None else _account(lamports, owner, executable, data)
            yield height, Pubkey(address), before

    def write(self, height: int, changes: Changes, landed: Sequence[LandedTransaction], keep_undo_above: int) -> None:
        """Store images and transactions of one height, all or nothing, and forget undo images nobody can read."""
        with self.transaction():
            self._db.execute("DELETE FROM undo WHERE height <= ?", (keep_undo_above,))
            self._put_images(changes)
            rows = ((height, bytes(address), *_row(change.before)) for address, change in changes.items())
            self._db.executemany("INSERT OR IGNORE INTO undo VALUES (?, ?, ?, ?, ?, ?)", rows)
            for transaction in landed:
                self._put_landed(transaction)

    def put_accounts(self, accounts: Iterable[tuple[Pubkey, Account]]) -> None:
        rows = ((bytes(address), *_row(account)) for address, account in accounts)
        self._db.executemany("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?, ?)", rows)

    def _put_images(self, changes: Changes) -> None:
        self.put_accounts((address, change.after) for address, change in changes.items() if change.after is not None)
        gone = ((bytes(address),) for address, change in changes.items() if change.after is None)
        self._db.executemany("DELETE FROM account WHERE address = ?", gone)

    def _put_landed(self, landed: LandedTransaction) -> None:
        row = self._db.execute(
            "INSERT INTO landed (signature, height, block_time, raw, error, meta) VALUES (?, ?, ?, ?, ?, ?)"
            " RETURNING id",
            (
                bytes(landed.signature),
                landed.height,
                landed.block_time,
                landed.raw,
                json.dumps(landed.error),
                landed.meta,
            ),
        ).fetchone()
        mentions = ((bytes(address), row[0]) for address in landed.mentions)
        self._db.executemany("INSERT OR IGNORE INTO mention VALUES (?, ?)", mentions)

    def find(self, signature: Signature) -> LandedTransaction | None:
        row = self._db.execute(
            "SELECT height, block_time, error, raw, meta FROM landed WHERE signature = ?", (bytes(signature),)
        ).fetchone()
        if row is None:
            return None
        height, block_time, error, raw, meta = row
        return LandedTransaction(
            signature=signature,
            height=height,
            block_time=block_time,
            error=json.loads(error),
            raw=raw,
            meta=meta,
            mentions=(),
        )

    def landed_after(self, height: int) -> Iterator[SignatureEntry]:
        """Return what landed above a height, newest first."""
        rows = self._db.execute("SELECT signature, height, block_time, error FROM landed ORDER BY id DESC")
        for row in rows:
            if row[1] <= height:
                return
            yield _entry(row)

    def landed_count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM landed").fetchone()[0])

    def mentions(
        self, address: Pubkey, *, up_to: int, before: Signature | None, until: Signature | None, limit: int
    ) -> list[SignatureEntry]:
        """Return what named `address` and landed at height `up_to` or below, newest first, between two signatures."""
        rows = self._db.execute(
            "SELECT signature, height, block_time, error FROM mention JOIN landed USING (id)"
            " WHERE address = ? AND height <= ? AND id < ? AND id > ? ORDER BY id DESC LIMIT ?",
            (bytes(address), up_to, self._id(before, 2**62), self._id(until, 0), limit),
        )
        return [_entry(row) for row in rows]

    def _id(self, signature: Signature | None, default: int) -> int:
        if signature is None:
            return default
        row = self._db.execute("SELECT id FROM landed WHERE signature = ?", (bytes(signature),)).fetchone()
        return int(row[0]) if row else default


def _row(account: Account | None) -> tuple[int | None, bytes | None, int | None, bytes | None]:
    if account is None:
        return None, None, None, None
    return account.lamports, bytes(account.owner), int(account.executable), bytes(account.data)


def _account(lamports: int, owner: bytes, executable: int, data: bytes) -> Account:
    return image(Pubkey(owner), data, lamports, executable=bool(executable))


def _entry(row: tuple[bytes, int, int, str]) -> SignatureEntry:
    signature, height, block_time, error = row
    return SignatureEntry(
        signature=Signature.from_bytes(signature), height=height, block_time=block_time, error=json.loads(error)
    )
