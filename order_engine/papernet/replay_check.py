"""What a replay is made of: recorded facts, each tried again, and what they are read from."""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.errors import EngineError

_NOT_REPLAYABLE: Final = (EngineError, ValueError, ArithmeticError, LookupError, TypeError, struct.error)


class UnusableFile(ValueError):
    """The file holds nothing that could be replayed; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One recorded fact. `differences` yields what is otherwise than recorded."""

    name: str
    differences: Callable[[], Iterable[str]]

    def failure(self) -> str | None:
        """Return one line with all that is wrong, None where nothing is."""
        try:
            line = "; ".join(self.differences())
        except _NOT_REPLAYABLE as error:
            line = f"cannot be replayed: {_first_line(error)}"
        return f"{self.name}: {line}" if line else None


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return first_problem(error)
    return str(error).partition("\n")[0] or type(error).__name__


def first_problem(error: ValidationError) -> str:
    """Return where a document is wrong first, and what about it."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


def difference(what: str, expected: object, got: object) -> Iterator[str]:
    """Yield a line if the two are not the same."""
    if expected != got:
        yield f"{what}: expected {expected}, got {got}" if what else f"expected {expected}, got {got}"


def instruction_differences(expected: Instruction, got: Instruction) -> Iterator[str]:
    yield from difference("program", expected.program_id, got.program_id)
    yield from difference("data", bytes(expected.data).hex(), bytes(got.data).hex())
    yield from difference("number of accounts", len(expected.accounts), len(got.accounts))
    for place, (wanted, found) in enumerate(zip(expected.accounts, got.accounts, strict=False)):
        yield from difference(f"account {place}", _described(wanted), _described(found))


def _described(meta: AccountMeta) -> str:
    flags = (" signer" if meta.is_signer else "", " writable" if meta.is_writable else "")
    return f"{meta.pubkey}{''.join(flags)}"


@dataclass(frozen=True, slots=True)
class Arguments:
    """The named arguments of a record.

    Every reader raises ValueError for one that is missing or of another kind.
    """

    values: Mapping[str, object]

    def key(self, name: str) -> Pubkey:
        return _key(name, self._value(name))

    def optional_key(self, name: str) -> Pubkey | None:
        value = self._value(name)
        return None if value is None else _key(name, value)

    def keys(self, name: str) -> list[Pubkey]:
        value = self._value(name)
        if not isinstance(value, list):
            raise ValueError(f"argument {name} is no list")
        return [_key(name, one) for one in value]

    def integer(self, name: str) -> int:
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"argument {name} is no integer: {value}")
        return int(value)

    def flag(self, name: str) -> bool:
        value = self._value(name)
        if not isinstance(value, bool):
            raise ValueError(f"argument {name} is neither true nor false: {value}")
        return value

    def inside(self, name: str) -> "Arguments":
        value = self._value(name)
        if not isinstance(value, dict):
            raise ValueError(f"argument {name} has no fields")
        return Arguments(value)

    def require(self, name: str, known: Pubkey) -> None:
        """Check an address that the engine knows anyway."""
        for line in difference(f"argument {name}", self.key(name), known):
            raise ValueError(line)

    def _value(self, name: str) -> object:
        if name not in self.values:
            raise ValueError(f"argument {name} is missing")
        return self.values[name]


def _key(name: str, value: object) -> Pubkey:
    if not isinstance(value, str):
        raise ValueError(f"argument {name} is no address: {value}")
    try:
        return Pubkey.from_string(value)
    except ValueError as error:
        raise ValueError(f"argument {name} is no address: {value}") from error
