"""What the virtual machine said about a shadow, told in terms of the original transaction."""

from collections.abc import Mapping
from dataclasses import dataclass

from solders.account import Account
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from order_engine.papernet.images import Change
from order_engine.papernet.outcome import ChainError, error_of, failed_instruction, instruction_error
from order_engine.papernet.shadow import Refusal, Shadow
from order_engine.papernet.transactions import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What a transaction did. `before` and `after` follow the order of `keys`."""

    keys: Keys
    error: ChainError | None
    fee_lamports: int
    compute_units: int
    logs: tuple[str, ...]
    before: tuple[Account | None, ...]
    after: tuple[Account | None, ...]

    @property
    def changes(self) -> dict[Pubkey, Change]:
        rows = zip(self.keys.addresses, self.keys.writable, self.before, self.after, strict=True)
        return {key: Change(old, new) for key, writable, old, new in rows if writable and old != new}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The machine's own answer about a shadow."""

    error: ChainError | None
    metadata: TransactionMetadata
    post_accounts: Mapping[Pubkey, Account]

    @property
    def is_charged(self) -> bool:
        """A transaction refused before it starts costs nothing, whatever its metadata call the fee."""
        return self.error is None or self.metadata.signature() != Signature.default()


def failed_run(failed: FailedTransactionMetadata) -> RunResult:
    return RunResult(error=error_of(failed), metadata=failed.meta(), post_accounts={})


def original_error(error: ChainError | None, shadow: Shadow, keys: Keys) -> ChainError | None:
    """Return the error with the original's instruction and account indexes, and the venue's own code."""
    failed = failed_instruction(error)
    if failed is not None:
        index, reason = shadow.origin[failed[0]], failed[1]
        if shadow.refusal is not None and shadow.refusal.index == index:
            reason = shadow.refusal.error
        return instruction_error(index, reason)
    if isinstance(error, Mapping) and isinstance(rent := error.get("InsufficientFundsForRent"), Mapping):
        account = shadow.transaction.message.account_keys[rent["account_index"]]
        return {"InsufficientFundsForRent": {"account_index": keys.addresses.index(account)}}
    return error


def original_logs(logs: list[str], error: ChainError | None, refusal: Refusal | None) -> tuple[str, ...]:
    """Return the logs; where a venue refuses, with the words of a program that fails."""
    failed = failed_instruction(error)
    if refusal is None or failed is None or failed[0] != refusal.index:
        return tuple(logs)
    starts = [number for number, line in enumerate(logs) if line.endswith(" invoke [1]")]
    kept = logs[: starts[-1]] if starts else logs
    code = refusal.error.get("Custom") if isinstance(refusal.error, Mapping) else None
    if not isinstance(code, int):
        failure = [f"Program {refusal.program} failed: {refusal.error}"]
    else:
        failure = [
            f"Program log: AnchorError occurred. Error Number: {code}. Error Message: {refusal.message}.",
            f"Program {refusal.program} failed: custom program error: {hex(code)}",
        ]
    return (*kept, f"Program {refusal.program} invoke [1]", *failure)
