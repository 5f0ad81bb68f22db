"""The format of vector files: dumps of pools, and swaps on them with what the real program did."""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account

_ROLES: Final = frozenset({"pool", "mint_a", "mint_b", "vault_a", "vault_b"})
_GZIP_MAGIC: Final = b"\x1f\x8b"
_CUSTOM_ERROR: Final = re.compile(r"InstructionErrorCustom\((\d+)\)")
_RUNTIME_ERROR: Final = re.compile(r"Fieldless\((\w+)\)")


def _pubkey(value: object) -> object:
    return Pubkey.from_string(value) if isinstance(value, str) else value


def _base64(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _hex(value: object) -> object:
    return bytes.fromhex(value) if isinstance(value, str) else value


Key = Annotated[Pubkey, BeforeValidator(_pubkey)]


class _Model(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)


class ClockDump(_Model):
    slot: int
    epoch: int
    unix_timestamp: int
    epoch_start_timestamp: int

    def to_clock(self) -> Clock:
        return Clock(self.slot, self.epoch_start_timestamp, self.epoch, self.epoch, self.unix_timestamp)


class AccountDump(_Model):
    role: str
    pubkey: Key
    owner: Key
    lamports: int
    data: Annotated[bytes, BeforeValidator(_base64)]

    def to_account(self) -> Account:
        return Account(owner=self.owner, lamports=self.lamports, data=self.data)


class PoolDump(_Model):
    accounts: tuple[AccountDump, ...]
    clock: ClockDump

    @model_validator(mode="after")
    def _has_every_role(self) -> Self:
        if missing := _ROLES - {account.role for account in self.accounts}:
            raise ValueError(f"accounts {sorted(missing)} are missing")
        return self

    def address(self, role: str) -> Pubkey:
        return next(account.pubkey for account in self.accounts if account.role == role)


class TraderDump(_Model):
    token_account_in: Annotated[Key, Field(validation_alias="in")]
    token_account_out: Annotated[Key, Field(validation_alias="out")]
    mint_in: Key
    mint_out: Key
    in_balance: int


class AccountMetaDump(_Model):
    pubkey: Key
    is_signer: bool
    is_writable: bool


class InstructionDump(_Model):
    program_id: Key
    accounts: tuple[AccountMetaDump, ...]
    data: Annotated[bytes, BeforeValidator(_hex)]

    def to_instruction(self) -> Instruction:
        metas = [AccountMeta(meta.pubkey, meta.is_signer, meta.is_writable) for meta in self.accounts]
        return Instruction(self.program_id, self.data, metas)


class Expected(_Model):
    """What the real program did. A failure names its error as the virtual machine prints it, or as the source does."""

    ok: bool
    amount_in: int = 0
    amount_out: int = 0
    fee: int | None = None
    after: dict[str, int] = {}
    program_error: str = ""
    reason: str = ""

    @property
    def error(self) -> int | str | None:
        """Return the custom code or the runtime's name of the failure, None where the file does not know it."""
        return _error_code(self.program_error)


class OlderOutcome(_Model):
    """What an older program did; `error` as the virtual machine prints it."""

    ok: bool
    error: str = ""


class Vector(_Model):
    id: str
    pool: str
    kind: Literal["exact_in", "exact_out", "partial_fill"]
    direction: Literal["a_to_b", "b_to_a"]
    amount: int
    threshold: int
    user: TraderDump
    instruction: InstructionDump
    expected: Expected
    bytecode_2024_10: OlderOutcome | None = None
    bytecode_agrees: bool = False

    def error(self, codes: Mapping[str, int]) -> int | str | None:
        """Return how the program fails; `codes` are those of the names in its source. None: the file does not say."""
        if self.expected.error is not None:
            return self.expected.error
        if self.bytecode_agrees and self.bytecode_2024_10 is not None:
            return _error_code(self.bytecode_2024_10.error)
        return codes.get(self.expected.reason)


class VectorName(_Model):
    id: str


class VectorOutline(_Model):
    """As much of a vector file as can be read of a venue that is not known here."""

    venue: str
    vectors: Annotated[tuple[VectorName, ...], Field(min_length=1)]


class VectorFile(_Model):
    venue: str
    user: Key
    pools: dict[str, PoolDump]
    vectors: tuple[Vector, ...]

    @model_validator(mode="after")
    def _pools_are_there(self) -> Self:
        for vector in self.vectors:
            if vector.pool not in self.pools:
                raise ValueError(f"{vector.id}: pool {vector.pool} is not in the file")
            pool = self.pools[vector.pool]
            if {vector.user.mint_in, vector.user.mint_out} != {pool.address("mint_a"), pool.address("mint_b")}:
                raise ValueError(f"{vector.id}: the pool trades other mints")
        return self


def _error_code(printed: str) -> int | str | None:
    if custom := _CUSTOM_ERROR.search(printed):
        return int(custom[1])
    runtime = _RUNTIME_ERROR.search(printed)
    return runtime[1] if runtime else None


def load_json(path: Path) -> object:
    """Return the JSON of a file, plain or gzip.

    Raises:
        OSError, EOFError, ValueError, zlib.error: it cannot be read.
    """
    raw = path.read_bytes()
    document: object = json.loads(gzip.decompress(raw) if raw.startswith(_GZIP_MAGIC) else raw)
    return document
