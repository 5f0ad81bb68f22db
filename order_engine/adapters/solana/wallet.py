"""Wallet from a key file in the Solana CLI's format: a JSON array of 64 numbers, readable by its owner alone."""

import json
import os
import stat
from collections import OrderedDict
from pathlib import Path
from typing import Final

from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from order_engine.adapters.solana.chain import SolanaChain
from order_engine.domain.order import OrderId, SignedTransaction
from order_engine.usecases.ports import TransactionPlan

REMEMBERED_SIGNATURES: Final = 4096


class WalletFileError(Exception):
    """The key file cannot be used; the message says why and how to mend it."""


class KeypairWallet:
    """Signs, once for each order and attempt: asked again, it returns what it signed first."""

    def __init__(self, keypair: Keypair, chain: SolanaChain) -> None:
        self._keypair = keypair
        self._chain = chain
        self._signed: OrderedDict[tuple[OrderId, int], SignedTransaction] = OrderedDict()

    def __repr__(self) -> str:
        return f"KeypairWallet({self.address})"

    @property
    def address(self) -> Pubkey:
        return self._keypair.pubkey()

    async def sign(self, order_id: OrderId, attempt: int, plan: TransactionPlan) -> SignedTransaction:
        key = (order_id, attempt)
        if key in self._signed:
            return self._signed[key]
        blockhash, last_valid_block_height = await self._chain.latest_blockhash()
        message = MessageV0.try_compile(plan.payer, list(plan.instructions), list(plan.lookup_tables), blockhash)
        transaction = VersionedTransaction(message, [self._keypair])
        signed = SignedTransaction(
            signature=transaction.signatures[0],
            raw=bytes(transaction),
            last_valid_block_height=last_valid_block_height,
        )
        self._signed.setdefault(key, signed)
        if len(self._signed) > REMEMBERED_SIGNATURES:
            self._signed.popitem(last=False)
        return self._signed[key]


def load_keypair(path: Path) -> Keypair:
    """Read a key file.

    Raises:
        WalletFileError: it is missing, readable by others, or not a key.
    """
    try:
        mode = path.stat().st_mode
        content = path.read_text()
    except OSError as error:
        raise WalletFileError(f"cannot read the wallet {path}: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise WalletFileError(f"the wallet {path} can be read by others: chmod 600 {path}")
    try:
        return Keypair.from_bytes(bytes(json.loads(content)))
    except (ValueError, TypeError) as error:
        raise WalletFileError(f"the wallet {path} is not a key in the Solana CLI's format") from error


def load_or_create_keypair(path: Path) -> Keypair:
    """Read the key file, or make one. Never overwrites; two processes starting at once agree on one key."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps(list(bytes(Keypair()))))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return load_keypair(path)
