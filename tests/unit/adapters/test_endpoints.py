"""Which endpoints are used: only those that proved to be on one chain; silent ones later, foreign ones never."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from solders.hash import Hash

from order_engine.adapters.solana.chain import ForeignEndpoint, SolanaChain
from order_engine.adapters.solana.json_rpc import JsonRpc, http_session
from order_engine.domain.errors import ChainUnavailable
from order_engine.domain.order import SignedTransaction
from tests.unit.adapters.canned_endpoint import HANG_UP, Answer, CannedEndpoint, good, serving

OURS, OTHER = str(Hash(bytes([1] * 32))), str(Hash(bytes([2] * 32)))


class Endpoints:
    """Servers by a name, and the chain of each: None hangs up."""

    def __init__(self, chains: dict[str, str | None]) -> None:
        self.chains = chains
        self.servers: dict[str, CannedEndpoint] = {}

    def answering(self, name: str) -> Answer:
        async def answer(request_id: int) -> AsyncIterator[bytes]:
            chain = self.chains[name]
            yield HANG_UP if chain is None else good(request_id, chain)

        return answer

    def silent(self, chain: SolanaChain) -> list[str]:
        return [name for name, server in self.servers.items() if server.name in chain.silent_endpoints]

    async def used_by(self, chain: SolanaChain) -> list[str]:
        transaction = SignedTransaction(signature=None, raw=b"", last_valid_block_height=1)  # type: ignore[arg-type]
        await chain.send(transaction)
        return [name for name, server in self.servers.items() if server.forget().count("sendTransaction") == 1]


@asynccontextmanager
async def chain_on(**chains: str | None) -> AsyncIterator[tuple[SolanaChain, Endpoints]]:
    endpoints = Endpoints(chains)
    async with AsyncExitStack() as stack:
        for name in chains:
            endpoints.servers[name] = await stack.enter_async_context(serving(endpoints.answering(name)))
        session = await stack.enter_async_context(http_session(5.0))
        yield SolanaChain([JsonRpc(server.url, session) for server in endpoints.servers.values()]), endpoints


@pytest.mark.parametrize("dead_first", [True, False])
async def test_a_silent_endpoint_is_left_out_until_it_proves_its_chain(dead_first: bool) -> None:
    dead, alive = ("a", "b") if dead_first else ("b", "a")
    async with chain_on(a=None if dead_first else OURS, b=OURS if dead_first else None) as (chain, endpoints):
        assert str(await chain.prove_endpoints()) == OURS
        assert await endpoints.used_by(chain) == [alive]
        assert endpoints.silent(chain) == [dead]
        endpoints.chains[dead] = OURS
        await chain.prove_endpoints()
        assert await endpoints.used_by(chain) == ["a", "b"]
        assert chain.silent_endpoints == ()


async def test_an_endpoint_of_another_chain_is_never_used_also_when_it_answers_late() -> None:
    async with chain_on(a=OURS, b=None) as (chain, endpoints):
        await chain.prove_endpoints()
        endpoints.chains["b"] = OTHER
        with pytest.raises(ForeignEndpoint):
            await chain.prove_endpoints()
        assert await endpoints.used_by(chain) == ["a"]
        assert chain.silent_endpoints == ()


async def test_two_chains_at_the_start_are_refused() -> None:
    async with chain_on(a=OURS, b=OTHER) as (chain, _):
        with pytest.raises(ForeignEndpoint):
            await chain.prove_endpoints()


async def test_nobody_answering_is_unavailable() -> None:
    async with chain_on(a=None, b=None) as (chain, _):
        with pytest.raises(ChainUnavailable):
            await chain.prove_endpoints()
