"""One recorded swap, checked against the emulated program and against the engine's own quote."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.errors import AmountTooSmall, EngineError, QuoteRefused
from order_engine.domain.pool import Account, AccountSnapshot, Pool, Quote, SwapRequest, Trader
from order_engine.papernet.programs import EmulatedProgram, ProgramError, RuntimeProgramError
from order_engine.papernet.token_ledger import TokenLedger, token_account_data
from order_engine.papernet.vector_file import PoolDump, Vector


@dataclass(frozen=True, slots=True)
class ReplayVenue:
    """What a venue brings to be replayed. `pool_fields` names a pool account's fields as the vectors do."""

    program: EmulatedProgram
    pool: type[Pool]
    pool_fields: Callable[[Pubkey, Account], Mapping[str, int]]


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
        yield from self._execution_problems()
        if self.vector.kind == "exact_in":
            yield from self._quote_problems()

    def _execution_problems(self) -> Iterator[str]:
        expected, ledger = self.vector.expected, TokenLedger(dict(self.accounts), self.dump.clock.epoch)
        try:
            self._execute(self.vector.instruction.to_instruction(), ledger)
        except ProgramError as refusal:
            error = refusal.name if isinstance(refusal, RuntimeProgramError) else refusal.code
            if expected.ok:
                yield f"refused with {error}: {refusal}"
            elif expected.error not in (None, error):
                yield f"refused with {error} instead of {expected.error}"
            return
        if not expected.ok:
            yield f"succeeded instead of failing with {expected.error}"
            return
        yield from _differences(dict(self._wanted()), dict(self._outcome(ledger)))

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

    def _quote_problems(self) -> Iterator[str]:
        expected = self.vector.expected
        try:
            pool, quote = self._quote()
        except QuoteRefused as refusal:
            if expected.ok and not (expected.amount_out == 0 and isinstance(refusal, AmountTooSmall)):
                yield f"quote refused: {refusal}"
            return
        except EngineError as error:
            yield f"pool unreadable: {error}"
            return
        if not expected.ok or expected.amount_out == 0:
            yield f"quote pays {quote.amount_out} where the program pays nothing"
            return
        if (quote.amount_in, quote.amount_out) != (expected.amount_in, expected.amount_out):
            yield (
                f"quote {quote.amount_in} -> {quote.amount_out}, program {expected.amount_in} -> {expected.amount_out}"
            )
        built = pool.swap_instruction(quote, self.vector.threshold, self.trader)
        if built != self.vector.instruction.to_instruction():
            yield "the instruction differs"

    def _quote(self) -> tuple[Pool, Quote]:
        """Quote with exactly the accounts that the pool asks for."""
        clock, user = self.dump.clock, self.vector.user
        address = self.dump.address("pool")
        needed = {address, *self.venue.pool.dependencies(address, self.accounts[address])}
        snapshot = AccountSnapshot(
            slot=clock.slot,
            unix_timestamp=clock.unix_timestamp,
            epoch=clock.epoch,
            accounts={key: self.accounts[key] for key in needed & self.accounts.keys()},
        )
        pool = self.venue.pool.decode(address, snapshot)
        request = SwapRequest(token_in=user.mint_in, token_out=user.mint_out, amount_in=self.vector.amount)
        return pool, pool.quote(request)


def _differences(wanted: Mapping[str, int], found: Mapping[str, int]) -> Iterator[str]:
    for name, value in wanted.items():
        if found.get(name) != value:
            yield f"{name} is {found.get(name)} instead of {value}"
