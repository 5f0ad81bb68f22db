"""Recorded signed transactions: decoded as the network does, and put together again as the engine does.

Two compilers order the keys of a message differently, so bytes are never compared: instructions, signatures and sizes
are. A decoded account has the flags of all its uses in the transaction together; the payer signs and is written.
"""

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.errors import SignerError
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import CompileError, Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from order_engine.papernet.images import image
from order_engine.papernet.outcome import TransactionRefused
from order_engine.papernet.replay_check import difference, instruction_differences
from order_engine.papernet.transactions import TABLE_HEADER, Keys, parse, resolve, verify
from order_engine.papernet.vector_file import InstructionDump, Key

_TABLE_PROGRAM: Final = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")


class TableDump(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    key: Key
    addresses: tuple[Key, ...]


class TransactionRecord(BaseModel):
    model_config = ConfigDict(frozen=True)

    kind: Literal["legacy", "v0", "v0_alt"]
    blockhash: str
    signer_seed_hex: str | None = None
    instructions: tuple[InstructionDump, ...]
    lookup_tables: tuple[TableDump, ...] = ()
    raw: Annotated[bytes, Field(validation_alias="transaction_base64"), BeforeValidator(lambda v: _base64(v))]
    size: Annotated[int | None, Field(validation_alias="bytes")] = None

    @property
    def wanted(self) -> list[Instruction]:
        return [dump.to_instruction() for dump in self.instructions]

    def read(self, address: Pubkey) -> Account | None:
        """Return the account of a recorded lookup table."""
        for table in self.lookup_tables:
            if table.key == address:
                return image(_TABLE_PROGRAM, bytes(TABLE_HEADER) + b"".join(map(bytes, table.addresses)))
        return None


def transaction_differences(record: Mapping[str, object]) -> Iterator[str]:
    """Yield what is otherwise than recorded.

    Raises:
        ValueError: the record cannot be read, or its transaction is none or badly signed.
    """
    recorded = TransactionRecord.model_validate(record)
    transaction = parse(recorded.raw)
    verify(transaction)
    if recorded.size is not None:
        yield from difference("size", recorded.size, len(recorded.raw))
    yield from difference("kind", recorded.kind, _kind(transaction))
    yield from difference("blockhash", recorded.blockhash, str(transaction.message.recent_blockhash))
    try:
        keys = resolve(transaction.message, recorded.read)
    except TransactionRefused as refused:
        yield f"accounts: {refused.error}"
        return
    yield from _instruction_differences(recorded.wanted, transaction, keys)
    if recorded.signer_seed_hex is not None:
        yield from _rebuilt_differences(recorded, Keypair.from_seed(bytes.fromhex(recorded.signer_seed_hex)), keys)


def _kind(transaction: VersionedTransaction) -> str:
    message = transaction.message
    if not isinstance(message, MessageV0):
        return "legacy"
    return "v0_alt" if message.address_table_lookups else "v0"


def _instruction_differences(
    wanted: Sequence[Instruction], transaction: VersionedTransaction, keys: Keys
) -> Iterator[str]:
    decoded = [keys.decompile(compiled) for compiled in transaction.message.instructions]
    yield from difference("number of instructions", len(wanted), len(decoded))
    for place, (expected, got) in enumerate(zip(_with_shared_flags(wanted, keys.payer), decoded, strict=False)):
        for line in instruction_differences(expected, got):
            yield f"instruction {place}, {line}"


def _with_shared_flags(instructions: Sequence[Instruction], payer: Pubkey) -> list[Instruction]:
    metas = [meta for instruction in instructions for meta in instruction.accounts]
    signing = {payer}.union(meta.pubkey for meta in metas if meta.is_signer)
    written = {payer}.union(meta.pubkey for meta in metas if meta.is_writable)
    return [
        Instruction(
            one.program_id,
            bytes(one.data),
            [AccountMeta(meta.pubkey, meta.pubkey in signing, meta.pubkey in written) for meta in one.accounts],
        )
        for one in instructions
    ]


def _rebuilt_differences(recorded: TransactionRecord, signer: Keypair, keys: Keys) -> Iterator[str]:
    """Compile and sign the recorded instructions: the result is as long, and says the same."""
    yield from difference("payer", signer.pubkey(), keys.payer)
    try:
        rebuilt = VersionedTransaction(_compiled(recorded, signer.pubkey()), [signer])
    except (CompileError, SignerError) as error:
        yield f"cannot be built here: {error}"
        return
    yield from difference("size when built here", len(recorded.raw), len(bytes(rebuilt)))
    for line in _instruction_differences(recorded.wanted, rebuilt, resolve(rebuilt.message, recorded.read)):
        yield f"built here: {line}"


def _compiled(recorded: TransactionRecord, payer: Pubkey) -> Message | MessageV0:
    blockhash = Hash.from_string(recorded.blockhash)
    if recorded.kind == "legacy":
        return Message.new_with_blockhash(recorded.wanted, payer, blockhash)
    tables = [AddressLookupTableAccount(table.key, list(table.addresses)) for table in recorded.lookup_tables]
    return MessageV0.try_compile(payer, recorded.wanted, tables, blockhash)


def _base64(value: object) -> object:
    return b64decode(value, validate=True) if isinstance(value, str) else value
