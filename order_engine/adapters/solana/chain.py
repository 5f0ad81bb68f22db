"""Chain over JSON-RPC, on one or more endpoints."""

import asyncio
import base64
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final, TypeVar

import orjson
import structlog
from base58 import b58encode
from solders.hash import Hash
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from order_engine.adapters.batching import Batcher
from order_engine.adapters.solana import replies
from order_engine.adapters.solana.fills import fill_of
from order_engine.adapters.solana.json_rpc import JsonRpc, OnCall, RpcError, http_session
from order_engine.domain.errors import ChainUnavailable, EngineError
from order_engine.domain.finality import Landed, Sighting
from order_engine.domain.order import Fill, SignedTransaction
from order_engine.domain.pool import Account, AccountFilter, AccountSnapshot
from order_engine.domain.route import SwapTerms
from order_engine.usecases.ports import Simulation, TransactionPlan

CLOCK_SYSVAR: Final = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
SIGNATURES_PER_STATUS_CALL: Final = 256
SILENT_SECONDS: Final = 0.5  # then the next endpoint is asked as well
ASKED_LAST_SECONDS: Final = 10.0  # an endpoint that another one had to stand in for
NOT_AWAITED_SECONDS: Final = 30.0  # an endpoint that could not be searched
SEND_SECONDS: Final = 1.0  # what a send waits for the others once one endpoint has answered
_CONFIRMED: Final = {"commitment": "confirmed"}
_SEEN: Final = frozenset({"confirmed", "finalized"})

T = TypeVar("T")
log = structlog.get_logger(__name__)


class ForeignEndpoint(EngineError):
    """An endpoint belongs to another chain than the others."""


class SolanaChain:
    """Reads ask the endpoints in order until one answers, and the next one too when it is silent for a moment.

    Sends and searches ask all of them.
    """

    def __init__(self, endpoints: Sequence[JsonRpc]) -> None:
        self._endpoints = tuple(endpoints)
        self._unproven = self._endpoints
        self._genesis: Hash | None = None
        self._asked_last_until: dict[str, float] = {}
        self._silent_until: dict[str, float] = {}
        self._searches: Batcher[Signature, Sequence[Sighting]] = Batcher(
            self._search, max_batch=SIGNATURES_PER_STATUS_CALL
        )

    async def prove_endpoints(self) -> Hash:
        """Return the chain's genesis hash, and use only endpoints that have proved to be on that chain.

        Silent ones are left out: ask again to take them in once they answer.

        Raises:
            ChainUnavailable: none has proved it yet.
            ForeignEndpoint: one is on another chain; it is never used.
        """
        proven = tuple(rpc for rpc in self._endpoints if rpc not in self._unproven)
        found = await asyncio.gather(*(_genesis_hash(rpc) for rpc in self._unproven))
        answers = {rpc: genesis for rpc, genesis in zip(self._unproven, found, strict=True) if genesis is not None}
        self._genesis = self._genesis or next(iter(answers.values()), None)
        if self._genesis is None:
            raise ChainUnavailable(f"none of {', '.join(rpc.name for rpc in self._unproven)} answers")
        self._unproven = tuple(rpc for rpc in self._unproven if rpc not in answers)
        own = tuple(rpc for rpc, genesis in answers.items() if genesis == self._genesis)
        self._endpoints = (*proven, *own)
        if foreign := [rpc.name for rpc in answers if rpc not in own]:
            raise ForeignEndpoint(f"SOLANA_RPC_URL: {', '.join(foreign)} is on another chain than the first endpoint")
        return self._genesis

    @property
    def silent_endpoints(self) -> tuple[str, ...]:
        """Those that have not proved their chain yet."""
        return tuple(rpc.name for rpc in self._unproven)

    async def latest_blockhash(self) -> tuple[Hash, int]:
        """Return a blockhash and its last_valid_block_height, both of one reply."""
        reply = await self._first(lambda rpc: rpc.call("getLatestBlockhash", [_CONFIRMED], replies.BLOCKHASH))
        return Hash.from_string(reply.value.blockhash), reply.value.last_valid_block_height

    async def accounts(self, addresses: Sequence[Pubkey]) -> AccountSnapshot:
        keys = [CLOCK_SYSVAR, *addresses]
        params = [[str(key) for key in keys], {**_CONFIRMED, "encoding": "base64"}]
        reply = await self._first(lambda rpc: rpc.call("getMultipleAccounts", params, replies.ACCOUNTS))
        found = {key: _decoded(raw) for key, raw in zip(keys, reply.value, strict=False) if raw is not None}
        clock = found.pop(CLOCK_SYSVAR, None)
        if clock is None or len(clock.data) < 40 or len(reply.value) != len(keys):
            raise ChainUnavailable("getMultipleAccounts: malformed reply")
        _, _, epoch, _, unix_timestamp = struct.unpack_from("<QqQQq", clock.data)
        return AccountSnapshot(slot=reply.context.slot, unix_timestamp=unix_timestamp, epoch=epoch, accounts=found)

    async def program_accounts(
        self, program_id: Pubkey, account_filter: AccountFilter
    ) -> Sequence[tuple[Pubkey, Account]]:
        filters: list[object] = [{"dataSize": account_filter.data_size}]
        for offset, expected in account_filter.memcmp:
            filters.append({"memcmp": {"offset": offset, "bytes": b58encode(expected).decode()}})
        params = [str(program_id), {**_CONFIRMED, "encoding": "base64", "filters": filters}]
        found = await self._first(lambda rpc: rpc.call("getProgramAccounts", params, replies.PROGRAM_ACCOUNTS))
        return [(Pubkey.from_string(one.pubkey), _decoded(one.account)) for one in found]

    async def simulate(self, plan: TransactionPlan) -> Simulation:
        message = MessageV0.try_compile(plan.payer, list(plan.instructions), list(plan.lookup_tables), Hash.default())
        unsigned = VersionedTransaction.populate(message, [Signature.default()])
        options = {**_CONFIRMED, "encoding": "base64", "sigVerify": False, "replaceRecentBlockhash": True}
        params = [base64.b64encode(bytes(unsigned)).decode(), options]
        reply = await self._first(lambda rpc: rpc.call("simulateTransaction", params, replies.SIMULATION))
        return Simulation(error=_error_text(reply.value.err), logs=reply.value.logs or [], slot=reply.context.slot)

    async def send(self, transaction: SignedTransaction) -> None:
        options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
        params = [base64.b64encode(transaction.raw).decode(), options]
        sending = [asyncio.create_task(self._send(rpc, transaction, params)) for rpc in self._endpoints]
        try:
            await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(sending, timeout=SEND_SECONDS)
        finally:
            _cancel(sending)

    async def sightings(self, signature: Signature) -> Sequence[Sighting]:
        return await self._searches.submit(signature)

    async def fill(self, signature: Signature, swap: SwapTerms, wallet: Pubkey) -> Fill | None:
        options = {**_CONFIRMED, "encoding": "json", "maxSupportedTransactionVersion": 0}
        for rpc in self._in_order():
            try:
                found = await rpc.call("getTransaction", [str(signature), options], replies.TRANSACTION)
            except (ChainUnavailable, RpcError):
                continue
            if found is not None:
                return fill_of(found, signature, swap, wallet)
        return None

    async def _send(self, rpc: JsonRpc, transaction: SignedTransaction, params: Sequence[object]) -> None:
        try:
            await rpc.call("sendTransaction", params, replies.TEXT)
        except (ChainUnavailable, RpcError) as error:
            log.info("send_refused", endpoint=rpc.name, signature=str(transaction.signature), error=str(error))

    async def _search(self, signatures: Sequence[Signature]) -> Sequence[Sequence[Sighting]]:
        """Search every endpoint for all of them at once; one list of sightings for each signature."""
        now = monotonic()
        searching = {asyncio.create_task(self._search_one(rpc, signatures)): rpc for rpc in self._endpoints}
        heard_lately = {task for task, rpc in searching.items() if self._silent_until.get(rpc.name, now) <= now}
        answers: list[list[Sighting]] = []
        waiting, patient = set(searching), heard_lately or set(searching)
        try:
            while waiting and not _all_landed(answers):
                patience = None if waiting & patient else SILENT_SECONDS
                done, waiting = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    break
                for task in done:
                    self._heard(searching[task], bool(task.result()))
                answers += [answer for task in done if (answer := task.result())]
        finally:
            _cancel(waiting)
        return [[answer[index] for answer in answers] for index in range(len(signatures))]

    def _heard(self, rpc: JsonRpc, answered: bool) -> None:
        """One that could not be searched is still asked, but for a while nobody waits long for its answer."""
        if answered:
            self._silent_until.pop(rpc.name, None)
        else:
            self._silent_until[rpc.name] = monotonic() + NOT_AWAITED_SECONDS

    async def _search_one(self, rpc: JsonRpc, signatures: Sequence[Signature]) -> list[Sighting]:
        """Height first, then the signatures: the other order would call a just-landed transaction dead."""
        options = {"searchTransactionHistory": True}
        try:
            height = await rpc.call("getEpochInfo", [{"commitment": "finalized"}], replies.EPOCH_INFO)
            params = [[str(signature) for signature in signatures], options]
            reply = await rpc.call("getSignatureStatuses", params, replies.STATUSES)
        except (ChainUnavailable, RpcError) as error:
            log.info("search_failed", endpoint=rpc.name, error=str(error))
            return []
        if len(reply.value) != len(signatures):
            return []
        return [
            Sighting(
                endpoint=rpc.name,
                finalized_block_height=height.block_height,
                finalized_slot=height.absolute_slot,
                context_slot=reply.context.slot,
                landed=_landed(status),
            )
            for status in reply.value
        ]

    async def _first(self, ask: Callable[[JsonRpc], Coroutine[object, object, T]]) -> T:
        reasons: list[str] = []
        left, asked = list(self._in_order()), dict[asyncio.Task[T], JsonRpc]()
        try:
            while left or asked:
                if left:
                    rpc = left.pop(0)
                    asked[asyncio.ensure_future(ask(rpc))] = rpc
                done, _ = await asyncio.wait(
                    asked, timeout=SILENT_SECONDS if left else None, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    try:
                        answer = task.result()
                    except (ChainUnavailable, RpcError) as error:
                        reasons.append(str(error))
                        self._ask_last(asked.pop(task))
                        continue
                    asked.pop(task)
                    for rpc in asked.values():
                        self._ask_last(rpc)
                    return answer
        finally:
            _cancel(asked)
        raise ChainUnavailable("; ".join(reasons))

    def _in_order(self) -> Sequence[JsonRpc]:
        """Return the endpoints as configured, those that failed just now behind the others."""
        now = monotonic()
        return sorted(self._endpoints, key=lambda rpc: self._asked_last_until.get(rpc.name, now) > now)

    def _ask_last(self, rpc: JsonRpc) -> None:
        self._asked_last_until[rpc.name] = monotonic() + ASKED_LAST_SECONDS


@asynccontextmanager
async def open_chain(
    urls: Sequence[str], timeout_seconds: float = 5.0, on_call: OnCall | None = None
) -> AsyncIterator[SolanaChain]:
    """A chain on these endpoints while the context lasts. Transports never repeat a request by themselves."""
    async with http_session(timeout_seconds) as session:
        yield SolanaChain([JsonRpc(url, session, on_call) for url in urls])


async def _genesis_hash(rpc: JsonRpc) -> Hash | None:
    try:
        return Hash.from_string(await rpc.call("getGenesisHash", [], replies.TEXT))
    except (ChainUnavailable, RpcError, ValueError):
        return None


def _cancel(tasks: Iterable[asyncio.Task[T]]) -> None:
    for task in tasks:
        task.cancel()


def _all_landed(answers: Sequence[Sequence[Sighting]]) -> bool:
    """Say whether nobody else need be heard: what one endpoint has seen land has landed."""
    return bool(answers) and all(any(one.landed for one in seen) for seen in zip(*answers, strict=True))


def _decoded(raw: replies.RawAccount) -> Account:
    try:
        return raw.decode()
    except ValueError as error:
        raise ChainUnavailable("malformed account in a reply") from error


def _landed(status: replies.SignatureStatus | None) -> Landed | None:
    """`processed` does not count: it may still be dropped with its fork."""
    if status is None or status.confirmation_status not in _SEEN:
        return None
    return Landed(slot=status.slot, error=_error_text(status.err))


def _error_text(error: object) -> str | None:
    return None if error is None else orjson.dumps(error).decode()
