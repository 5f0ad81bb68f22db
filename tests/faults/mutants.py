"""Wrong engines, each wrong in one place, and what must notice: the harness, or the tests that are named."""

from dataclasses import dataclass
from typing import Final

_CONFIRM_AND_ROUTE: Final = "tests/unit/usecases/test_execute_order.py"
_CLAIMS: Final = "tests/contract/test_order_claims.py"
_STORE: Final = "tests/contract/test_order_store.py"

_LATE: Final = ("--minutes", "0.4", "--only", "^chain papernet (late|delay)", "--steps", "^$")
_DEADLY: Final = (
    "--minutes",
    "0.5",
    "--only",
    "^kill (worker|api)|^chain fails",
    "--steps",
    "TransactionSigned:(before|after):kill|chain.send:after:kill|store.events|queue.hint:before:kill",
)
_CALM: Final = ("--minutes", "0.4", "--only", "^flush", "--steps", "^$")
_CLOCK: Final = "tests/faults/test_clock_put_back.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...] = ()  # pytest arguments
    harness: tuple[str, ...] = ()  # arguments of `python -m tests.faults`


MUTANTS: Final = (
    Mutant(
        name="signs again one second before the old transaction is dead",
        path="order_engine/domain/finality.py",
        old="past = sighting.finalized_block_height > last_valid_block_height + DEAD_MARGIN_BLOCKS",
        new="past = sighting.finalized_block_height > last_valid_block_height - 52",
        harness=_LATE,
    ),
    Mutant(
        name="sends before recording",
        path="order_engine/usecases/execute_order.py",
        old="        return await self._record(order, fact), transaction\n",
        new="        await self.chain.send(transaction)\n        return await self._record(order, fact), transaction\n",
        harness=_DEADLY,
    ),
    Mutant(
        name="rebuilds and signs again when it takes a sent order over",
        path="order_engine/usecases/execute_order.py",
        old="    async def _confirm(self, order: Order, claim_id: UUID, *, just_sent: bool) -> None:\n"
        '        """Look until the outcome is certain. The same bytes are sent again unless a cancel was asked."""\n'
        "        transaction = await self.store.live_transaction(order.order_id)\n",
        new="    async def _confirm(self, order: Order, claim_id: UUID, *, just_sent: bool) -> None:\n"
        "        transaction = await self.store.live_transaction(order.order_id)\n"
        "        if not just_sent and transaction is not None:\n"
        "            again = await self._sign(order, {})\n"
        "            await self.chain.send(again)\n",
        harness=_DEADLY,
    ),
    Mutant(
        name="has no sweeper",
        path="order_engine/worker/run.py",
        old="asyncio.create_task(sweeper.run())",
        new="asyncio.create_task(asyncio.Event().wait())",
        harness=_DEADLY,
    ),
    Mutant(
        name="publishes from memory only: a watcher sees what happens after it came",
        path="order_engine/usecases/stream_order_status.py",
        old="            events = await self.store.events(order_id, after_sequence)\n            while True:",
        new="            after_sequence = max(after_sequence, order.sequence - 1)\n"
        "            events = await self.store.events(order_id, after_sequence)\n"
        "            while True:",
        harness=_DEADLY,
    ),
    Mutant(
        name="stores facts without looking at the sequence",
        path="order_engine/adapters/postgres/appending.py",
        old='        if row is not None and row["sequence"] == append.order.sequence:\n',
        new="        if row is not None:\n",
        tests=(_STORE,),
    ),
    Mutant(
        name="counts waiting for the rate limit as an attempt",
        path="order_engine/adapters/postgres/starting.py",
        old="        await write(connection, list(changes.values()))\n",
        new="        await write(connection, list(changes.values()))\n"
        "        from order_engine.domain.order import AttemptFailed, Failure\n"
        "        from uuid import uuid4\n"
        "        for order_id, row in rows.items():\n"
        "            if order_id not in admitted and _is_due(row, moment):\n"
        "                one = _started(asked[order_id], row, moment, lease)\n"
        "                await write(connection, [one])\n"
        "                fact = AttemptFailed(failure=Failure('RATE_LIMITED', ''), retry_after=timedelta(seconds=1))\n"
        "                after, event = apply(one.after, fact, at=moment)\n"
        "                await write(connection, [\n"
        "                    Change(before=one.after, after=after, event=event, event_id=EventId(uuid4()))\n"
        "                ])\n",
        tests=(_CLAIMS,),
    ),
    Mutant(
        name="hints an order before it is stored",
        path="order_engine/usecases/submit_order.py",
        old="        stored = await self.store.create(self._new_order(terms))\n"
        "        if stored.status is OrderStatus.PENDING:\n"
        "            self.queue.hint(stored.order_id)\n",
        new="        order = self._new_order(terms)\n"
        "        self.queue.hint(order.order_id)\n"
        "        stored = await self.store.create(order)\n"
        "        if stored.status is OrderStatus.PENDING:\n",
        tests=("tests/faults/test_promises.py",),
    ),
    Mutant(
        name="swallows cancellation: a dropped order is worked on",
        path="order_engine/usecases/execute_order.py",
        old="            polls += 1\n            await self.clock.sleep(self.policy.poll_interval)\n",
        new="            polls += 1\n"
        "            try:\n"
        "                await self.clock.sleep(self.policy.poll_interval)\n"
        "            except __import__('asyncio').CancelledError:\n"
        "                pass\n",
        tests=("tests/faults/test_promises.py",),
    ),
    Mutant(
        name="looks for the signature before it reads the height",
        path="order_engine/adapters/solana/chain.py",
        old='            height = await rpc.call("getEpochInfo", [{"commitment": "finalized"}], replies.EPOCH_INFO)\n'
        "            params = [[str(signature) for signature in signatures], options]\n"
        '            reply = await rpc.call("getSignatureStatuses", params, replies.STATUSES)\n',
        new="            params = [[str(signature) for signature in signatures], options]\n"
        '            reply = await rpc.call("getSignatureStatuses", params, replies.STATUSES)\n'
        '            height = await rpc.call("getEpochInfo", [{"commitment": "finalized"}], replies.EPOCH_INFO)\n',
        tests=("tests/faults/test_promises.py",),
    ),
    Mutant(
        name="believes an endpoint that lags behind its own height",
        path="order_engine/domain/finality.py",
        old="    return past and sighting.context_slot >= sighting.finalized_slot\n",
        new="    return past\n",
        tests=("tests/unit/domain/test_finality.py",),
    ),
    Mutant(
        name="takes over while the lease still runs",
        path="order_engine/adapters/postgres/order_claims.py",
        old="        AND (claimed_until <= clock_timestamp()"
        " OR claimed_until > clock_timestamp() + :lease + interval '60 s')\n",
        new="",
        tests=(_CLAIMS,),
    ),
    Mutant(
        name="admits without looking at the limits",
        path="order_engine/adapters/postgres/starting.py",
        old="            if order_id in admitted and _is_due(row, moment)\n",
        new="            if _is_due(row, moment)\n",
        harness=_DEADLY,
    ),
    Mutant(
        name="waits half as long before the next attempt",
        path="order_engine/usecases/execute_order.py",
        old="wait = self.policy.retry_delay * 2 ** (order.attempt - 1)",
        new="wait = self.policy.retry_delay * 2 ** (order.attempt - 1) / 2",
        harness=_DEADLY,
    ),
    Mutant(
        name="sends again after a cancel",
        path="order_engine/usecases/execute_order.py",
        old="                if not order.cancel_requested:\n                    await self.chain.send(transaction)\n",
        new="                await self.chain.send(transaction)\n",
        tests=(_CONFIRM_AND_ROUTE,),
    ),
    Mutant(
        name="does not enforce on chain what a leg must pay",
        path="order_engine/usecases/swap_plan.py",
        old="    return pool.swap_instruction(quote, leg.min_amount_out, trader)\n",
        new="    return pool.swap_instruction(quote, 1, trader)\n",
        harness=_LATE,
    ),
    Mutant(
        name="lets a hop spend more than the one before it is sure to pay",
        path="order_engine/domain/routing/build.py",
        old="    must_pay = [*(_amount_in(hop) for hop in hops[1:]), least]\n",
        new="    must_pay = [*(_amount_in(hop) * 99 // 100 for hop in hops[1:]), least]\n",
        harness=_CALM,
    ),
    Mutant(
        name="sends an exact output as an exact input",
        path="order_engine/usecases/swap_plan.py",
        old="    if route.swap_mode is SwapMode.EXACT_OUT:\n        return pool.exact_out_instruction",
        new="    if route.swap_mode is None:\n        return pool.exact_out_instruction",
        harness=_CALM,
    ),
    Mutant(
        name="ignores what an order bounds beside slippage",
        path="order_engine/domain/routing/guards.py",
        old="        if limit is not None and value > limit:\n",
        new="        if limit is not None and value > limit + 10**9:\n",
        harness=_CALM,
    ),
    Mutant(
        name="fails orders when there is no room for a line about them",
        path="order_engine/logs.py",
        old="structlog.PrintLoggerFactory(cast(TextIO, _UnfailingStderr()))",
        new="structlog.PrintLoggerFactory(sys.stderr)",
        tests=("tests/faults/test_disk.py",),
    ),
    Mutant(
        name="leaves orders waiting when the database's clock is put back",
        path="order_engine/adapters/postgres/starting.py",
        old="next_attempt_at <= :counted_at OR update_time > :counted_at + interval '60 s'",
        new="next_attempt_at <= :counted_at",
        tests=(_CLOCK,),
    ),
    Mutant(
        name="counts starts that lie ahead of the database's clock",
        path="order_engine/adapters/postgres/starting.py",
        old="WHERE started_at BETWEEN :moment - interval '60 s' AND :moment + interval '60 s'",
        new="WHERE started_at >= :moment - interval '60 s'",
        tests=(_CLOCK,),
    ),
    Mutant(
        name="waits for a lease that was given by a clock that is put back",
        path="order_engine/adapters/postgres/order_claims.py",
        old=" OR claimed_until > clock_timestamp() + :lease + interval '60 s')\n",
        new=" AND CAST(:lease AS interval) IS NOT NULL)\n",
        tests=(_CLOCK,),
    ),
    Mutant(
        name="asks a silent endpoint first again and again",
        path="order_engine/adapters/solana/chain.py",
        old="self._asked_last_until.get(rpc.name, now) > now",
        new="self._asked_last_until.get(rpc.name, now) > now + 10**6",
        tests=("tests/faults/test_outages.py::test_orders_are_executed_while_an_endpoint_of_the_chain_is_silent",),
    ),
)
