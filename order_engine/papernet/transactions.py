"""Raw transactions: parsed strictly, signatures checked, every account they name resolved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from solders.account import Account
from solders.instruction import AccountMeta, CompiledInstruction, Instruction
from solders.message import Message, MessageV0, VersionedMessage
from solders.pubkey import Pubkey
from solders.transaction import SanitizeError, VersionedTransaction

from order_engine.papernet.outcome import TransactionRefused

MAX_TRANSACTION_BYTES: Final = 1_232
MAX_ACCOUNT_LOCKS: Final = 64
TABLE_HEADER: Final = 56  # of an address lookup table account


class MalformedTransaction(ValueError):
    """The bytes are no transaction."""


class BadSignature(ValueError):
    """A signature does not belong to the message and its signer."""


def parse(raw: bytes) -> VersionedTransaction:
    """Parse a transaction without looking at its signatures.

    Raises:
        MalformedTransaction.
    """
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise MalformedTransaction(f"transaction too large: {len(raw)} bytes (max: {MAX_TRANSACTION_BYTES} bytes)")
    try:
        transaction = VersionedTransaction.from_bytes(raw)
        transaction.sanitize()
    except (ValueError, SanitizeError) as error:
        raise MalformedTransaction(f"failed to deserialize transaction: {error}") from error
    if not isinstance(transaction.message, Message | MessageV0):
        raise MalformedTransaction("this transaction version is not supported")
    required = transaction.message.header.num_required_signatures
    # from_bytes accepts trailing bytes, and a message that nobody signs would pass every signature check
    if bytes(transaction) != raw or required == 0 or len(transaction.signatures) != required:
        raise MalformedTransaction("invalid transaction: failed to sanitize accounts offsets correctly")
    return transaction


def verify(transaction: VersionedTransaction) -> None:
    """Check all signatures.

    Raises:
        BadSignature.
    """
    if not all(transaction.verify_with_results()):
        raise BadSignature("Transaction signature verification failure")


@dataclass(frozen=True, slots=True)
class Keys:
    """All accounts of a transaction in their order, those out of lookup tables included."""

    addresses: tuple[Pubkey, ...]
    writable: tuple[bool, ...]
    static_count: int
    signer_count: int

    @property
    def payer(self) -> Pubkey:
        return self.addresses[0]

    def program_of(self, instruction: CompiledInstruction) -> Pubkey:
        return self.addresses[instruction.program_id_index]

    def decompile(self, instruction: CompiledInstruction) -> Instruction:
        metas = [
            AccountMeta(self.addresses[index], index < self.signer_count, self.writable[index])
            for index in instruction.accounts
        ]
        return Instruction(self.program_of(instruction), bytes(instruction.data), metas)


def resolve(message: VersionedMessage, read: Callable[[Pubkey], Account | None]) -> Keys:
    """Return the accounts the message names.

    Raises:
        TransactionRefused: a lookup table is missing or too short, or there are too many accounts.
    """
    header, addresses = message.header, list(message.account_keys)
    static, signers = len(addresses), header.num_required_signatures
    writable_signers = signers - header.num_readonly_signed_accounts
    writable_others = static - header.num_readonly_unsigned_accounts
    writable = [i < writable_signers or signers <= i < writable_others for i in range(static)]
    if isinstance(message, MessageV0):
        lookups = message.address_table_lookups
        tables = [_table(read(lookup.account_key)) for lookup in lookups]
        for lookup, table in zip(lookups, tables, strict=True):
            addresses += _entries(table, lookup.writable_indexes)
            writable += [True] * len(lookup.writable_indexes)
        for lookup, table in zip(lookups, tables, strict=True):
            addresses += _entries(table, lookup.readonly_indexes)
            writable += [False] * len(lookup.readonly_indexes)
    if len(addresses) > MAX_ACCOUNT_LOCKS:
        raise TransactionRefused("TooManyAccountLocks")
    return Keys(tuple(addresses), tuple(writable), static, signers)


def _table(account: Account | None) -> bytes:
    if account is None:
        raise TransactionRefused("AddressLookupTableNotFound")
    return bytes(account.data)[TABLE_HEADER:]


def _entries(table: bytes, indexes: Sequence[int] | bytes) -> list[Pubkey]:
    if any(32 * (index + 1) > len(table) for index in indexes):
        raise TransactionRefused("InvalidAddressLookupTableIndex")
    return [Pubkey(table[32 * index : 32 * (index + 1)]) for index in indexes]
