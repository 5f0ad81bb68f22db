"""Parameters of a call, read with their types. null counts as absent, as some clients send it."""

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Final

from base58 import b58decode
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.papernet.encoding import AccountFormat
from order_engine.papernet.rpc.errors import INVALID_PARAMS, RpcError, invalid_params

U64_MAX: Final = 2**64 - 1
_COMMITMENTS: Final = {
    "processed": "processed",
    "confirmed": "confirmed",
    "finalized": "finalized",
    "recent": "processed",
    "single": "confirmed",
    "singleGossip": "confirmed",
    "root": "finalized",
    "max": "finalized",
}
_ACCOUNT_ENCODINGS: Final = ("base64", "base58", "jsonParsed")


class Options:
    """The object among the parameters."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    @classmethod
    def of(cls, value: object, name: str = "config") -> "Options":
        if not isinstance(value, dict):
            raise invalid_params(f"{name} must be an object")
        return cls(value)

    def get(self, name: str) -> object:
        return self._values.get(name)

    def string(self, name: str) -> str | None:
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            raise invalid_params(f"{name} must be a string")
        return value

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            raise invalid_params(f"{name} must be true or false")
        return bool(value)

    def uint(self, name: str) -> int | None:
        value = self.get(name)
        return None if value is None else _uint(value, name)

    def options(self, name: str) -> "Options | None":
        value = self.get(name)
        return None if value is None else Options.of(value, name)

    def signature(self, name: str) -> Signature | None:
        value = self.string(name)
        return None if value is None else _signature(value, name)

    def pubkey(self, name: str) -> Pubkey | None:
        value = self.string(name)
        return None if value is None else _pubkey(value, name)

    def array(self, name: str) -> Sequence[object]:
        value = self.get(name)
        if value is not None and not isinstance(value, list):
            raise invalid_params(f"{name} must be an array")
        return value or []

    def commitment(self, name: str = "commitment") -> str:
        value = self.string(name)
        if value is None:
            return "finalized"
        if value not in _COMMITMENTS:
            raise invalid_params(f"unknown commitment {value!r}")
        return _COMMITMENTS[value]

    def account_format(self) -> AccountFormat:
        encoding = self.string("encoding") or "base64"
        if encoding not in _ACCOUNT_ENCODINGS:
            raise invalid_params(f"unsupported encoding {encoding!r}; known are {', '.join(_ACCOUNT_ENCODINGS)}")
        part = self.options("dataSlice")
        if part is None:
            return AccountFormat(encoding)
        return AccountFormat(encoding, (part.uint("offset") or 0, part.uint("length") or 0))


class Params:
    """The parameters by place."""

    def __init__(self, values: object) -> None:
        if values is None:
            values = []
        if not isinstance(values, list):
            raise invalid_params("params must be an array")
        self._values: list[object] = values

    def _at(self, index: int, name: str) -> object:
        if index >= len(self._values):
            raise invalid_params(f"{name} is missing")
        return self._values[index]

    def optional(self, index: int) -> object:
        return self._values[index] if index < len(self._values) else None

    def options(self, index: int) -> Options:
        """Return the object at a place; an absent one is empty."""
        value = self.optional(index)
        return Options({}) if value is None else Options.of(value)

    def string(self, index: int, name: str) -> str:
        value = self._at(index, name)
        if not isinstance(value, str):
            raise invalid_params(f"{name} must be a string")
        return value

    def pubkey(self, index: int, name: str = "pubkey") -> Pubkey:
        return _pubkey(self._at(index, name), name)

    def signature(self, index: int) -> Signature:
        return _signature(self._at(index, "signature"), "signature")

    def hash(self, index: int) -> Hash:
        try:
            return Hash.from_string(self.string(index, "blockhash"))
        except ValueError as error:
            raise invalid_params(f"blockhash: {error}") from error

    def uint(self, index: int, name: str) -> int:
        return _uint(self._at(index, name), name)

    def number(self, index: int, name: str) -> float:
        value = self._at(index, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise invalid_params(f"{name} must be a number")
        return value

    def array(self, index: int, name: str, at_most: int) -> Sequence[object]:
        value = self._at(index, name)
        if not isinstance(value, list):
            raise invalid_params(f"{name} must be an array")
        if len(value) > at_most:
            raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {at_most}")
        return value

    def pubkeys(self, index: int, at_most: int) -> list[Pubkey]:
        return [_pubkey(value, "pubkey") for value in self.array(index, "pubkeys", at_most)]

    def signatures(self, index: int, at_most: int) -> list[Signature]:
        return [_signature(value, "signature") for value in self.array(index, "signatures", at_most)]


def decode_bytes(text: str, encoding: str) -> bytes:
    """Decode base64 or base58 text.

    Raises:
        RpcError: invalid params.
    """
    try:
        if encoding == "base64":
            return b64decode(text, validate=True)
        if encoding == "base58":
            return b58decode(text)
    except (binascii.Error, ValueError) as error:
        raise invalid_params(f"invalid {encoding} encoding: {error}") from error
    raise invalid_params(f"unsupported encoding {encoding!r}; known are base64, base58")


def _pubkey(value: object, name: str) -> Pubkey:
    if not isinstance(value, str):
        raise invalid_params(f"{name} must be a string")
    try:
        return Pubkey.from_string(value)
    except ValueError as error:
        raise invalid_params(f"{name}: {error}") from error


def _signature(value: object, name: str) -> Signature:
    if not isinstance(value, str):
        raise invalid_params(f"{name} must be a string")
    try:
        return Signature.from_string(value)
    except ValueError as error:
        raise invalid_params(f"{name}: {error}") from error


def _uint(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= U64_MAX:
        raise invalid_params(f"{name} must be an integer from 0 to 2^64 - 1")
    return value
