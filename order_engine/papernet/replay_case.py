"""One recorded swap, checked against the emulated program and against the engine's own quote."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.errors import AmountTooSmall, EngineError, QuoteRefused
from order_engine.domain.pool import (
    Account,
    AccountSnapshot,
    ExactOutRequest,
    Pool,
    Quote,
    SwapRequest,
    Trader,
    missing_dependencies,
)
from order_engine.papernet.programs import EmulatedProgram, ProgramError, RuntimeProgramError
from order_engine.papernet.replay_check import instruction_differences
from order_engine.papernet.token_ledger import TokenLedger, token_account_data
from order_engine.papernet.vector_file import PoolDump, Vector


@dataclass(frozen=True, slots=True)
class ReplayVenue:
    """What a venue brings to be replayed. `pool_fields` names a pool account's fields as the vectors do."""

    program: EmulatedProgram
    pool: type[Pool]
    pool_fields: Callable[[Pubkey, Account], Mapping[str, int]]
    error_codes: Mapping[str, int] = field(default_factory=dict)  # by their names in the program's source
    recorded_form: Callable[[Pool, Vector, Trader], Instruction] | None = None  # where the engine sends another one


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCase:
    """A swap and a fresh copy of the accounts it meets."""

    venue: ReplayVenue
    vector: Vector
    dump: PoolDump
    accounts: Mapping[Pubkey, Account]
    trader: Trader

    @classmethod
    def of(cls, venue: ReplayVenue, dump: PoolDump, vector: Vector, owner: Pubkey) -> Self:
        accounts = {account.pubkey: account.to_account() for account in dump.accounts}
        user = vector.user
        for address, mint, amount in (
            (user.token_account_in, user.mint_in, user.in_balance),
            (user.token_account_out, user.mint_out, 0),
        ):
            data = token_account_data(mint, owner, amount)
            accounts[address] = Account(owner=accounts[mint].owner, lamports=1, data=data)
        trader = Trader(owner=owner, token_account_in=user.token_account_in, token_account_out=user.token_account_out)
        return cls(venue=venue, vector=vector, dump=dump, accounts=accounts, trader=trader)

    def problems(self) -> Iterator[str]:
        """Yield every difference to the record; none is a pass."""
        if (self.vector.direction == "a_to_b") != (self.vector.user.mint_in == self.dump.address("mint_a")):
            yield f"{self.vector.direction} does not fit its mints"
        yield from self._execution_problems()
        yield from self._pool_problems()

    def _execution_problems(self) -> Iterator[str]:
        expected, ledger = self.vector.expected, TokenLedger(dict(self.accounts), self.dump.clock.epoch)
        try:
            self._execute(self.vector.instruction.to_instruction(), ledger)
        except ProgramError as refusal:
            error = refusal.name if isinstance(refusal, RuntimeProgramError) else refusal.code
            if expected.ok:
                yield f"refused with {error}: {refusal}"
            elif self._expected_error not in (None, error):
                yield f"refused with {error} instead of {self._expected_error}"
            return
        if not expected.ok:
            yield f"succeeded instead of failing with {self._expected_error}"
            return
        yield from _differences(dict(self._wanted()), dict(self._outcome(ledger)))

    @property
    def _expected_error(self) -> int | str | None:
        return self.vector.error(self.venue.error_codes)

    def _execute(self, instruction: Instruction, ledger: TokenLedger) -> None:
        clock = self.dump.clock.to_clock()
        data, metas = bytes(instruction.data), instruction.accounts
        effects = self.venue.program.execute(data, metas, ledger.accounts.get, clock)
        for transfer in effects.transfers:
            ledger.transfer(transfer)
        for address, changed in effects.accounts.items():
            ledger.write(address, changed)

    def _wanted(self) -> Iterator[tuple[str, int]]:
        yield "amount_in", self.vector.expected.amount_in
        yield "amount_out", self.vector.expected.amount_out
        yield from self.vector.expected.after.items()

    def _outcome(self, ledger: TokenLedger) -> Iterator[tuple[str, int]]:
        yield "amount_in", self.vector.user.in_balance - ledger.balance(self.trader.token_account_in)
        yield "amount_out", ledger.balance(self.trader.token_account_out)
        for side in ("a", "b"):
            yield f"vault_{side}_amount", ledger.balance(self.dump.address(f"vault_{side}"))
        pool = self.dump.address("pool")
        yield from self.venue.pool_fields(pool, ledger.accounts[pool]).items()

    def _pool_problems(self) -> Iterator[str]:
        try:
            pool = self._pool()
        except EngineError as error:
            if self.vector.expected.ok:
                yield f"pool unreadable: {error}"
            return
        if self.vector.kind == "partial_fill":  # the engine asks for all or nothing
            yield from self._form_problems(self._form(pool, self._asked))
        else:
            yield from self._quote_problems(pool)

    def _quote_problems(self, pool: Pool) -> Iterator[str]:
        expected = self.vector.expected
        try:
            quote = self._quote(pool)
        except QuoteRefused as refusal:
            if expected.ok and not (expected.amount_out == 0 and isinstance(refusal, AmountTooSmall)):
                yield f"quote refused: {refusal}"
            yield from self._form_problems(self._form(pool, self._asked))
            return
        yield from self._quote_differences(quote)
        yield from self._form_problems(self._form(pool, quote if expected.ok else self._asked))

    def _quote_differences(self, quote: Quote) -> Iterator[str]:
        expected = self.vector.expected
        if not expected.ok or expected.amount_out == 0:
            if self._is_within_means(quote):
                yield f"quote pays {quote.amount_out} where the program pays nothing"
            return
        if (quote.amount_in, quote.amount_out) != (expected.amount_in, expected.amount_out):
            yield (
                f"quote {quote.amount_in} -> {quote.amount_out}, program {expected.amount_in} -> {expected.amount_out}"
            )
        if expected.fee not in (None, quote.fee_amount):
            yield f"quote takes a fee of {quote.fee_amount}, program {expected.fee}"

    def _is_within_means(self, quote: Quote) -> bool:
        """A quote is about the pool: what the trader holds and accepts is no matter of it."""
        vector = self.vector
        if vector.kind == "exact_in":
            accepted = quote.amount_out >= vector.threshold
        else:
            accepted = quote.amount_in <= vector.threshold
        return accepted and quote.amount_in <= vector.user.in_balance

    def _form_problems(self, built: Instruction) -> Iterator[str]:
        for line in instruction_differences(self.vector.instruction.to_instruction(), built):
            yield f"the instruction differs: {line}"

    def _form(self, pool: Pool, quote: Quote) -> Instruction:
        if self.venue.recorded_form is not None:
            return self.venue.recorded_form(pool, self.vector, self.trader)
        if self.vector.kind == "exact_out":
            return pool.exact_out_instruction(quote, self.vector.threshold, self.trader)
        return pool.swap_instruction(quote, self.vector.threshold, self.trader)

    @property
    def _asked(self) -> Quote:
        """Return the swap as if it paid: what is refused was sent all the same."""
        user, amount = self.vector.user, self.vector.amount
        return Quote(
            venue=self.venue.pool.VENUE,
            pool=self.dump.address("pool"),
            slot=self.dump.clock.slot,
            token_in=user.mint_in,
            token_out=user.mint_out,
            amount_in=amount,
            amount_out=amount,
            fee_amount=0,
            fee_token=user.mint_in,
            price_impact_bps=0,
        )

    def _pool(self) -> Pool:
        """Decode with exactly the accounts that the pool asks for."""
        venue, address = self.venue.pool, self.dump.address("pool")
        needed = {address, *venue.dependencies(address, self.accounts[address])}
        missing = missing_dependencies(venue, address, self._snapshot(needed))
        return venue.decode(address, self._snapshot(needed.union(missing)))

    def _snapshot(self, needed: set[Pubkey]) -> AccountSnapshot:
        clock = self.dump.clock
        return AccountSnapshot(
            slot=clock.slot,
            unix_timestamp=clock.unix_timestamp,
            epoch=clock.epoch,
            accounts={key: self.accounts[key] for key in needed & self.accounts.keys()},
        )

    def _quote(self, pool: Pool) -> Quote:
        user, amount = self.vector.user, self.vector.amount
        if self.vector.kind == "exact_in":
            return pool.quote(SwapRequest(token_in=user.mint_in, token_out=user.mint_out, amount_in=amount))
        return pool.quote_exact_out(ExactOutRequest(token_in=user.mint_in, token_out=user.mint_out, amount_out=amount))


def _differences(wanted: Mapping[str, int], found: Mapping[str, int]) -> Iterator[str]:
    for name, value in wanted.items():
        if found.get(name) != value:
            yield f"{name} is {found.get(name)} instead of {value}"
