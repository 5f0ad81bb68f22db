"""Transactions as JSON: compact, and with their accounts spelled out."""

from base58 import b58encode
from solders.instruction import CompiledInstruction
from solders.message import MessageV0
from solders.transaction import VersionedTransaction


def message_json(transaction: VersionedTransaction) -> dict[str, object]:
    message = transaction.message
    header = message.header
    shown: dict[str, object] = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_compiled(instruction) for instruction in message.instructions],
    }
    if isinstance(message, MessageV0):
        shown["addressTableLookups"] = _lookups(message)
    return shown


def parsed_message_json(transaction: VersionedTransaction, meta: dict[str, object]) -> dict[str, object]:
    """Return the message with addresses instead of indexes. Instruction data stays as it is, for every program."""
    message = transaction.message
    header, static = message.header, len(message.account_keys)
    signers = header.num_required_signatures
    keys = [
        {
            "pubkey": str(key),
            "signer": index < signers,
            "writable": index < signers - header.num_readonly_signed_accounts
            or signers <= index < static - header.num_readonly_unsigned_accounts,
            "source": "transaction",
        }
        for index, key in enumerate(message.account_keys)
    ]
    loaded = meta["loadedAddresses"]
    if isinstance(loaded, dict):
        keys += [_looked_up(address, writable=True) for address in loaded["writable"]]
        keys += [_looked_up(address, writable=False) for address in loaded["readonly"]]
    addresses = [str(key["pubkey"]) for key in keys]
    shown: dict[str, object] = {
        "accountKeys": keys,
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_decoded(instruction, addresses) for instruction in message.instructions],
    }
    if isinstance(message, MessageV0):
        shown["addressTableLookups"] = _lookups(message)
    return shown


def _looked_up(address: str, *, writable: bool) -> dict[str, object]:
    return {"pubkey": address, "signer": False, "writable": writable, "source": "lookupTable"}


def _compiled(instruction: CompiledInstruction) -> dict[str, object]:
    return {
        "programIdIndex": instruction.program_id_index,
        "accounts": list(instruction.accounts),
        "data": b58encode(bytes(instruction.data)).decode(),
        "stackHeight": None,
    }


def _decoded(instruction: CompiledInstruction, addresses: list[str]) -> dict[str, object]:
    return {
        "programId": addresses[instruction.program_id_index],
        "accounts": [addresses[index] for index in instruction.accounts],
        "data": b58encode(bytes(instruction.data)).decode(),
        "stackHeight": None,
    }


def _lookups(message: MessageV0) -> list[dict[str, object]]:
    return [
        {
            "accountKey": str(lookup.account_key),
            "writableIndexes": list(lookup.writable_indexes),
            "readonlyIndexes": list(lookup.readonly_indexes),
        }
        for lookup in message.address_table_lookups
    ]
