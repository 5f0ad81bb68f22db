"""Dumped accounts: a directory of files written by `solana account ADDRESS --output json`."""

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

from solders.account import Account
from solders.pubkey import Pubkey

from order_engine.papernet.images import image


class UnreadableFile(ValueError):
    """A file given to the network is not of its kind; the message names it."""


def dumped_accounts(directory: Path) -> Iterator[tuple[Pubkey, Account]]:
    """Yield the accounts of all *.json files.

    Raises:
        UnreadableFile.
    """
    if not directory.is_dir():
        raise UnreadableFile(f"{directory} is not a directory")
    for path in sorted(directory.glob("*.json")):
        try:
            yield _dumped(path)
        except KeyError as error:
            raise UnreadableFile(f"{path}: the field {error} is missing") from error
        except (OSError, ValueError, TypeError, IndexError, OverflowError) as error:
            raise UnreadableFile(f"{path}: not an account as the Solana CLI writes it: {error}") from error


def _dumped(path: Path) -> tuple[Pubkey, Account]:
    dump = json.loads(path.read_text())
    account = dump["account"]
    text, encoding = account["data"]
    if encoding != "base64":
        raise ValueError(f"data is encoded as {encoding}, not base64")
    if account["executable"]:
        raise ValueError("an executable account; load programs from their ELF file instead")
    data = b64decode(text, validate=True)
    return Pubkey.from_string(dump["pubkey"]), image(Pubkey.from_string(account["owner"]), data, account["lamports"])
