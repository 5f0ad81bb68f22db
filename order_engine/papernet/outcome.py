"""Errors of a transaction in the shape in which Solana's JSON-RPC reports them."""

import json
from collections.abc import Mapping
from typing import TypeAlias

from solders.transaction_metadata import FailedTransactionMetadata

ChainError: TypeAlias = str | Mapping[str, object]  # "BlockhashNotFound" or {"InstructionError": [6, {"Custom": 6005}]}


class TransactionRefused(Exception):
    """The transaction cannot be executed at all: it does not land and costs nothing."""

    def __init__(self, error: ChainError) -> None:
        super().__init__(str(error))
        self.error = error


def instruction_error(index: int, error: object) -> ChainError:
    return {"InstructionError": [index, error]}


def custom(code: int) -> Mapping[str, int]:
    return {"Custom": code}


def error_of(failed: FailedTransactionMetadata) -> ChainError:
    error: ChainError = json.loads(failed.to_json())["err"]
    return error


def failed_instruction(error: ChainError | None) -> tuple[int, object] | None:
    """Return index and error of the instruction that failed."""
    if not isinstance(error, Mapping):
        return None
    found = error.get("InstructionError")
    if not isinstance(found, list) or len(found) != 2:
        return None
    return int(found[0]), found[1]


def describe(error: ChainError) -> str:
    """Return the sentence with which a node explains the error."""
    failed = failed_instruction(error)
    if failed is not None:
        index, reason = failed
        if isinstance(reason, Mapping) and isinstance(reason.get("Custom"), int):
            return f"Error processing Instruction {index}: custom program error: {hex(reason['Custom'])}"
        return f"Error processing Instruction {index}: {reason}"
    sentences = {
        "BlockhashNotFound": "Blockhash not found",
        "AlreadyProcessed": "This transaction has already been processed",
        "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
        "InsufficientFundsForFee": "Insufficient funds for fee",
    }
    return sentences.get(error, error) if isinstance(error, str) else json.dumps(error)
