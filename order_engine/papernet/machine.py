"""The Solana virtual machine: runs a transaction on the live state and says what it did."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from solders.account import Account
from solders.clock import Clock
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from order_engine.domain.amounts import LAMPORTS_PER_SIGNATURE
from order_engine.papernet.images import image, with_data
from order_engine.papernet.outcome import TransactionRefused
from order_engine.papernet.programs import EmulatedProgram
from order_engine.papernet.results import Execution, RunResult, failed_run, original_error, original_logs
from order_engine.papernet.shadow import Refusal, Shadow, ShadowBuilder, is_needed, unchanged
from order_engine.papernet.transactions import Keys, resolve

_UNITS_PER_SWAP: Final = 23_000  # what the transfers of an emulated swap burn less than the venue's bytecode


class Machine:
    def __init__(self, emulated: Mapping[Pubkey, EmulatedProgram]) -> None:
        self._emulated = dict(emulated)
        # the network checks signatures, blockhashes and duplicates itself: the machine's memory is too short
        self._svm = LiteSVM().with_sigverify(False).with_blockhash_check(False).with_transaction_history(0)

    def load_program(self, program_id: Pubkey, path: Path) -> None:
        """Run a program's real bytecode from now on.

        Raises:
            ValueError: the file is no program.
        """
        self._svm.add_program_from_file(program_id, path)
        self._emulated.pop(program_id, None)

    def account(self, address: Pubkey) -> Account | None:
        account = self._svm.get_account(address)
        return account if account is not None and account.lamports else None

    def put(self, address: Pubkey, account: Account | None) -> None:
        self._svm.set_account(address, account or image(Pubkey.default(), b"", 0))

    def set_clock(self, clock: Clock) -> None:
        self._svm.set_clock(clock)

    def execute(self, transaction: VersionedTransaction, forced: Refusal | None = None) -> Execution | None:
        """Run the transaction on the live state; with `forced`, that instruction fails.

        None: it could not land. Nothing changed and nothing was charged.
        """
        try:
            keys = resolve(transaction.message, self.account)
        except TransactionRefused:
            return None
        shadow = self._shadow(transaction, keys, forced)
        before = tuple(map(self.account, keys.addresses))
        lent_from = self._lend(keys.payer, shadow)
        answer = self._svm.send_transaction(shadow.transaction)
        if isinstance(answer, FailedTransactionMetadata):
            result = failed_run(answer)
        else:
            result = RunResult(error=None, metadata=answer, post_accounts={})
        if not result.is_charged:
            self._restore(keys.payer, lent_from)
            return None
        if result.error is None:
            for address in shadow.accounts:
                self.put(address, self._replaced(address, shadow))
        return _execution(keys, shadow, result, before, tuple(map(self.account, keys.addresses)))

    def simulate(self, transaction: VersionedTransaction) -> Execution:
        """Run the transaction and forget what it did.

        Raises:
            TransactionRefused: it could not even start.
        """
        keys = resolve(transaction.message, self.account)
        shadow = self._shadow(transaction, keys, None)
        result = self._dry_run(keys, shadow)
        if not result.is_charged:
            raise TransactionRefused(original_error(result.error, shadow, keys) or "SanitizeFailure")
        before = tuple(map(self.account, keys.addresses))
        if result.error is not None:
            return _execution(keys, shadow, result, before, before)
        held = dict(zip(keys.addresses, before, strict=True))
        held.update({key: account for key, account in result.post_accounts.items() if key in held})
        held.update({key: self._replaced(key, shadow) for key in shadow.accounts})
        after = tuple(account if account is not None and account.lamports else None for account in held.values())
        return _execution(keys, shadow, result, before, after)

    def _shadow(self, transaction: VersionedTransaction, keys: Keys, forced: Refusal | None) -> Shadow:
        if forced is None and not is_needed(transaction, keys, self._emulated):
            return unchanged(transaction)

        def run_prefix(prefix: Shadow) -> Mapping[Pubkey, Account]:
            return self._dry_run(keys, prefix).post_accounts

        clock = self._svm.get_clock()
        return ShadowBuilder(transaction, keys, self._emulated, self.account, run_prefix, clock).build(forced)

    def _dry_run(self, keys: Keys, shadow: Shadow) -> RunResult:
        lent_from = self._lend(keys.payer, shadow)
        answer = self._svm.simulate_transaction(shadow.transaction)
        self._restore(keys.payer, lent_from)
        if isinstance(answer, FailedTransactionMetadata):
            return failed_run(answer)
        return RunResult(error=None, metadata=answer.meta(), post_accounts=dict(answer.post_accounts()))

    def _lend(self, payer: Pubkey, shadow: Shadow) -> Account | None:
        """Give the payer beforehand what the machine will bill for dummy signers; return the account as it was."""
        account = self.account(payer)
        if account is None or shadow.dummy_signers == 0:
            return None
        lamports = account.lamports + LAMPORTS_PER_SIGNATURE * shadow.dummy_signers
        self.put(payer, image(account.owner, bytes(account.data), lamports, executable=account.executable))
        return account

    def _restore(self, payer: Pubkey, account: Account | None) -> None:
        if account is not None:
            self.put(payer, account)

    def _replaced(self, address: Pubkey, shadow: Shadow) -> Account | None:
        account = self.account(address)
        return None if account is None else with_data(account, shadow.accounts[address])


def _execution(
    keys: Keys,
    shadow: Shadow,
    result: RunResult,
    before: tuple[Account | None, ...],
    after: tuple[Account | None, ...],
) -> Execution:
    error = original_error(result.error, shadow, keys)
    metadata = result.metadata
    return Execution(
        keys=keys,
        error=error,
        fee_lamports=metadata.fee() - LAMPORTS_PER_SIGNATURE * shadow.dummy_signers,
        compute_units=metadata.compute_units_consumed() + _UNITS_PER_SWAP * shadow.swaps,
        logs=original_logs(metadata.logs(), error, shadow.refusal),
        before=before,
        after=after,
    )
