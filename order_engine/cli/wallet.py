"""`wallet`: whose money it is. The secret never leaves the file."""

from pathlib import Path

import orjson
import typer

from order_engine.adapters.solana.wallet import WalletFileError, load_keypair, load_or_create_keypair
from order_engine.cli.exits import FAILED, fail


def show_wallet(path: Path, *, create: bool, json: bool) -> None:
    """Print the address of the key file, made first when `create` says so and it is missing."""
    if not create and not path.exists():
        fail(f"there is no wallet at {path}: make one with --create, or point WALLET_PATH at your key file", FAILED)
    created = not path.exists()
    try:
        keypair = load_or_create_keypair(path) if create else load_keypair(path)
    except WalletFileError as error:
        fail(str(error), FAILED)
    except OSError as error:
        fail(f"cannot make the wallet {path}: {error.strerror}", FAILED)
    address = str(keypair.pubkey())
    answer = {"address": address, "path": str(path.absolute()), "created": created}
    typer.echo(orjson.dumps(answer).decode() if json else address)
