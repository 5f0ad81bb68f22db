"""Which endpoints are used: only those that proved to be on one chain; silent ones later, foreign ones never."""

import httpx
import orjson
import pytest
from solders.hash import Hash

from order_engine.adapters.solana.chain import ForeignEndpoint, SolanaChain
from order_engine.adapters.solana.json_rpc import JsonRpc
from order_engine.domain.errors import ChainUnavailable
from order_engine.domain.order import SignedTransaction

OURS, OTHER = str(Hash(bytes([1] * 32))), str(Hash(bytes([2] * 32)))


class Endpoints:
    """One fake HTTP server; the host in the URL names the endpoint."""

    def __init__(self, **chains: str | None) -> None:
        self.chains = chains
        self.sent: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        body = orjson.loads(request.content)
        name = request.url.host
        if self.chains[name] is None:
            raise httpx.ConnectError("refused", request=request)
        if body["method"] == "sendTransaction":
            self.sent.append(name)
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": body["id"], "result": self.chains[name]})

    def chain(self) -> SolanaChain:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        return SolanaChain([JsonRpc(f"http://{name}", client) for name in self.chains])

    async def used_by(self, chain: SolanaChain) -> list[str]:
        self.sent.clear()
        transaction = SignedTransaction(signature=None, raw=b"", last_valid_block_height=1)  # type: ignore[arg-type]
        await chain.send(transaction)
        return sorted(self.sent)


@pytest.mark.parametrize("dead_first", [True, False])
async def test_a_silent_endpoint_is_left_out_until_it_proves_its_chain(dead_first: bool) -> None:
    endpoints = Endpoints(a=None, b=OURS) if dead_first else Endpoints(a=OURS, b=None)
    chain = endpoints.chain()
    assert str(await chain.prove_endpoints()) == OURS
    assert len(await endpoints.used_by(chain)) == 1
    assert chain.silent_endpoints == ("a" if dead_first else "b",)
    endpoints.chains = {"a": OURS, "b": OURS}
    await chain.prove_endpoints()
    assert await endpoints.used_by(chain) == ["a", "b"]
    assert chain.silent_endpoints == ()


async def test_an_endpoint_of_another_chain_is_never_used_also_when_it_answers_late() -> None:
    endpoints = Endpoints(a=OURS, b=None)
    chain = endpoints.chain()
    await chain.prove_endpoints()
    endpoints.chains["b"] = OTHER
    with pytest.raises(ForeignEndpoint):
        await chain.prove_endpoints()
    assert await endpoints.used_by(chain) == ["a"]
    assert chain.silent_endpoints == ()


async def test_two_chains_at_the_start_are_refused() -> None:
    with pytest.raises(ForeignEndpoint):
        await Endpoints(a=OURS, b=OTHER).chain().prove_endpoints()


async def test_nobody_answering_is_unavailable() -> None:
    with pytest.raises(ChainUnavailable):
        await Endpoints(a=None, b=None).chain().prove_endpoints()
