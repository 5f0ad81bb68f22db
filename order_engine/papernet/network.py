"""The paper network itself: slots go by, sent transactions land, and nothing is visible before it is journaled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from order_engine.papernet.bank import UNDO_HEIGHTS, Bank
from order_engine.papernet.deliveries import Deliveries, Delivery
from order_engine.papernet.faults import Faults
from order_engine.papernet.genesis import BLOCKHASH_VALID_BLOCKS, network_keypair
from order_engine.papernet.heights import Heights
from order_engine.papernet.images import Changes, merged
from order_engine.papernet.journal import Journal, LandedTransaction, SignatureEntry
from order_engine.papernet.landed import Landed
from order_engine.papernet.machine import Machine
from order_engine.papernet.market import Market
from order_engine.papernet.outcome import ChainError, TransactionRefused, custom
from order_engine.papernet.receipts import meta_json
from order_engine.papernet.results import Execution
from order_engine.papernet.shadow import Refusal
from order_engine.papernet.venues import POOL_OF_PROGRAM

_FORGET_EVERY: Final = 16
_DUPLICATE_AFTER: Final = 3
_INSUFFICIENT_FUNDS: Final = 1  # the system and token programs' own code


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    slot_ms: int
    land_after_min: int
    land_after_max: int
    market_every: int
    airdrop_max_lamports: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a simulation found. `execution` is None when the transaction could not even start."""

    error: ChainError | None
    execution: Execution | None


class Network:
    def __init__(
        self, *, genesis: Hash, rules: Rules, journal: Journal, machine: Machine, bank: Bank, heights: Heights,
        faults: Faults, market: Market,
    ) -> None:  # fmt: skip
        self.genesis, self.rules, self.heights, self.faults = genesis, rules, heights, faults
        self.journal, self.machine, self.bank, self.market = journal, machine, bank, market
        self.faucet: Keypair = network_keypair(genesis, "faucet")
        self.landed = Landed(journal, heights.head)
        self.deliveries = Deliveries()
        self.skipped_slots = 0  # passed at once, ahead of the clock

    @property
    def head(self) -> int:
        return self.heights.head

    def step(self) -> None:
        """Begin the next slot."""
        self.heights.advance()
        self.machine.set_clock(self.heights.clock(self.head))
        number, rest = divmod(self.head, self.rules.market_every)
        if rest == 0:
            blockhash, clock = self.heights.blockhash(self.head), self.heights.clock(self.head)
            self.commit(self.market.move(number, blockhash, clock), [])
        if self.head % _FORGET_EVERY == 0:
            self.bank.forget(self.head - UNDO_HEIGHTS)
            self.landed.forget(self.head)

    def land_due(self, at_most: int) -> bool:
        """Land up to `at_most` transactions that are due in this slot; say whether more are."""
        landed: dict[bytes, LandedTransaction] = {}
        changes: list[Changes] = []
        while len(landed) < at_most and (delivery := self.deliveries.next_due(self.head)) is not None:
            if delivery.signature in self.landed or bytes(delivery.signature) in landed:
                continue
            execution = self._execute(delivery)
            if execution is None:
                continue
            changes.append(execution.changes)
            landed[bytes(delivery.signature)] = self._row(delivery, execution)
        self.commit(changes, list(landed.values()))
        return self.deliveries.has_due(self.head)

    def commit(self, changes: list[Changes], landed: Sequence[LandedTransaction]) -> None:
        """Journal what the machine already did in this slot, then make it visible."""
        if not changes and not landed:
            return
        total = merged(changes)
        self.journal.write(self.head, total, landed, keep_undo_above=self.head - UNDO_HEIGHTS)
        self.bank.record(self.head, total)
        self.landed.add(
            [
                SignatureEntry(signature=row.signature, height=row.height, block_time=row.block_time, error=row.error)
                for row in landed
            ]
        )

    def accept(self, transaction: VersionedTransaction, raw: bytes) -> None:
        """Take a sent transaction on its way to a block. Sending it again changes nothing."""
        signature = transaction.signatures[0]
        if self.faults.next_send_is_dropped() or signature in self.deliveries or signature in self.landed:
            return
        rules, faults = self.rules, self.faults
        slots = faults.landing_slots(signature, rules.land_after_min, rules.land_after_max)
        height = self.head + slots + faults.delay(signature)
        if faults.is_late(signature):
            known = self.heights.height_of(transaction.message.recent_blockhash)
            height = self.head if known is None else known + BLOCKHASH_VALID_BLOCKS
        self.deliveries.add(height, transaction, raw)
        if faults.is_duplicated(signature):
            self.deliveries.add(height + _DUPLICATE_AFTER, transaction, raw)

    def preview(self, transaction: VersionedTransaction, *, check_blockhash: bool = True) -> Preview:
        """Run a transaction on the newest state, and forget what it did."""
        if check_blockhash and not self.heights.is_valid(transaction.message.recent_blockhash, self.head):
            return Preview(error="BlockhashNotFound", execution=None)
        if transaction.signatures[0] in self.landed:
            return Preview(error="AlreadyProcessed", execution=None)
        try:
            execution = self.machine.simulate(transaction)
        except TransactionRefused as refused:
            return Preview(error=refused.error, execution=None)
        return Preview(error=execution.error, execution=execution)

    def _execute(self, delivery: Delivery) -> Execution | None:
        transaction = delivery.transaction
        if not self.heights.is_valid(transaction.message.recent_blockhash, self.head):
            return None
        return self.machine.execute(transaction, self._forced_failure(transaction))

    def _forced_failure(self, transaction: VersionedTransaction) -> Refusal | None:
        """Choose how a transaction that is to fail does it: at its swap, with the venue's slippage error."""
        message = transaction.message
        is_ours = message.account_keys[0] == self.faucet.pubkey()
        if is_ours or not self.faults.fails_on_chain(transaction.signatures[0]):
            return None
        chosen: Refusal | None = None
        static = message.account_keys
        for index, instruction in enumerate(message.instructions):
            program = static[instruction.program_id_index]  # never out of a lookup table
            if program in POOL_OF_PROGRAM:
                code = POOL_OF_PROGRAM[program].SLIPPAGE_ERROR
                return Refusal(index, custom(code), "exceeds desired slippage limit", program)
            if program != COMPUTE_BUDGET:
                chosen = Refusal(index, custom(_INSUFFICIENT_FUNDS), "insufficient funds", program)
        return chosen

    def _row(self, delivery: Delivery, execution: Execution) -> LandedTransaction:
        addresses: tuple[Pubkey, ...] = execution.keys.addresses
        return LandedTransaction(
            signature=delivery.signature,
            height=self.head,
            block_time=self.heights.unix_timestamp(self.head),
            error=execution.error,
            raw=delivery.raw,
            meta=meta_json(execution, self.machine),
            mentions=addresses,
        )
