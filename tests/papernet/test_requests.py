"""Any request gets a JSON-RPC reply with the right code, never a 500 or a hang."""

import json
from base64 import b64decode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from order_engine.domain.paper import PAPER_GENESIS_PREFIX
from order_engine.domain.tokens import TOKEN_PROGRAM, TOKENS_BY_SYMBOL, associated_token_address
from order_engine.papernet.genesis import genesis_hash
from order_engine.papernet.rpc.dispatch import METHODS
from tests.papernet.client import CLOCK, PROCESSED, PaperRpc, Refused
from tests.papernet.conftest import Start

USDC = TOKENS_BY_SYMBOL["USDC"]


def _request(method: object = "getSlot", params: object = None, **more: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params, **more}).encode()


_WRONG: tuple[tuple[bytes, int], ...] = (
    (b"", -32700),
    (b"{", -32700),
    (b"\xff\xfe", -32700),
    (b"[" * 100_000, -32700),
    (b"[]", -32600),
    (b"7", -32600),
    (b'"getSlot"', -32600),
    (b"{}", -32600),
    (_request(7), -32600),
    (_request(jsonrpc="1.0"), -32600),
    (_request(id={}), -32600),
    (_request(id=True), -32600),
    (_request("getSlots"), -32601),
    (_request(params={"commitment": "processed"}), -32602),
    (_request(params=["processed"]), -32602),
    (_request(params=[{"commitment": "soon"}]), -32602),
    (_request(params=[{"minContextSlot": -1}]), -32602),
    (_request(params=[{"minContextSlot": True}]), -32602),
    (_request(params=[{"minContextSlot": 2**70}]), -32602),
    (_request(params=[{"minContextSlot": 2**64 - 1}]), -32016),
    (_request("getAccountInfo"), -32602),
    (_request("getAccountInfo", ["no key"]), -32602),
    (_request("getAccountInfo", ["1" * 31]), -32602),
    (_request("getMultipleAccounts", [["1" * 32] * 101]), -32602),
    (_request("getBalance", [None]), -32602),
    (_request("getProgramAccounts", [str(TOKEN_PROGRAM), {"filters": [{}]}]), -32602),
    (_request("getSignatureStatuses", [["x"]]), -32602),
    (_request("getSignatureStatuses", [["1" * 64] * 257]), -32602),
    (_request("sendTransaction", ["AAAA", {"encoding": "base64"}]), -32602),
    (_request("sendTransaction", ["!", {"encoding": "base64"}]), -32602),
    (_request("sendTransaction", ["A" * 4000, {"encoding": "base64"}]), -32602),
    (_request("sendTransaction", ["AAAA", {"encoding": "hex"}]), -32602),
    (_request("getTokenAccountBalance", [str(USDC.mint)]), -32602),
    (_request("getTokenAccountBalance", ["1" * 32]), -32602),
    (_request("getTokenAccountsByOwner", ["1" * 32, {}]), -32602),
    (_request("getMinimumBalanceForRentExemption", [2**64]), -32602),
    (_request("requestAirdrop", ["1" * 32, 1.5]), -32602),
    (_request("paperSetFaults", ["drop=2"]), -32602),
    (_request("paperAdvance", [10**9]), -32602),
)


async def test_bad_requests_get_their_codes(paper: PaperRpc) -> None:
    answered = []
    for body, _ in _WRONG:
        response = await paper.post(body)
        answered.append((body, response.json()["error"]["code"] if response.status_code == 200 else response.text))
    assert answered == list(_WRONG)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60) | st.sampled_from([str(CLOCK)]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
_METHOD = st.sampled_from(sorted(set(METHODS) - {"paperAdvance", "paperSetFaults"}))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=_METHOD, params=_JSON | st.lists(_JSON, max_size=3))
async def test_random_parameters_never_reach_the_inside(paper: PaperRpc, method: str, params: object) -> None:
    response = await paper.post(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode())
    assert response.status_code == 200
    reply = response.json()
    assert "result" in reply or reply["error"]["code"] in {-32602, -32700, -32016}


async def test_batches_are_answered_in_order_with_their_errors(paper: PaperRpc) -> None:
    calls = [{"jsonrpc": "2.0", "id": n, "method": m} for n, m in enumerate(("getSlot", "nope", "getHealth"))]
    replies = (await paper.post(json.dumps([*calls, 5]).encode())).json()
    assert [reply["id"] for reply in replies] == [0, 1, 2, None]
    assert replies[1]["error"]["code"] == -32601
    assert replies[2]["result"] == "ok"
    assert replies[3]["error"]["code"] == -32600


async def test_a_body_too_large_is_refused(paper: PaperRpc) -> None:
    assert (await paper.post(b" " * (2**20 + 1))).status_code == 413


async def test_null_options_count_as_absent(paper: PaperRpc) -> None:
    options = {"commitment": None, "minContextSlot": None, "encoding": None, "dataSlice": None}
    assert (await paper.call("getAccountInfo", str(USDC.mint), options))["value"]["space"] == 82


async def test_the_genesis_hash_names_a_paper_network_and_its_seed(start: Start) -> None:
    paper = await start(seed=5)
    assert await paper.call("getGenesisHash") == str(genesis_hash(5))
    assert bytes(genesis_hash(5)).startswith(PAPER_GENESIS_PREFIX)
    assert genesis_hash(5) != genesis_hash(6)


async def test_the_clock_is_an_account_of_the_same_slot(paper: PaperRpc) -> None:
    for commitment in ("processed", "confirmed", "finalized"):
        reply = await paper.call("getAccountInfo", str(CLOCK), {"commitment": commitment, "encoding": "base64"})
        epoch = await paper.call("getEpochInfo", {"commitment": commitment})
        data = b64decode(reply["value"]["data"][0])
        assert len(data) == 40
        assert int.from_bytes(data[:8], "little") == reply["context"]["slot"] == epoch["absoluteSlot"]
        assert int.from_bytes(data[16:24], "little") == epoch["epoch"]
        block_time = await paper.call("getBlockTime", epoch["absoluteSlot"])
        assert int.from_bytes(data[32:40], "little") == block_time > 1_700_000_000


async def test_token_accounts_are_listed_and_parsed(paper: PaperRpc, wallet: Keypair) -> None:
    address = associated_token_address(wallet.pubkey(), USDC.mint, USDC.token_program)
    listed = await paper.call(
        "getTokenAccountsByOwner",
        str(wallet.pubkey()),
        {"mint": str(USDC.mint)},
        {"encoding": "jsonParsed", **PROCESSED},
    )
    (entry,) = listed["value"]
    assert entry["pubkey"] == str(address)
    balance = await paper.call("getTokenAccountBalance", str(address))
    assert entry["account"]["data"]["parsed"]["info"]["tokenAmount"] == balance["value"]
    assert balance["value"] == {
        "amount": "1000000000000",
        "decimals": 6,
        "uiAmount": 1_000_000.0,
        "uiAmountString": "1000000",
    }
    every = await paper.call("getTokenAccountsByOwner", str(wallet.pubkey()), {"programId": str(TOKEN_PROGRAM)})
    assert len(every["value"]) == 6


async def test_an_account_that_is_not_there_is_null(paper: PaperRpc) -> None:
    missing = str(Pubkey.new_unique())
    assert (await paper.call("getAccountInfo", missing))["value"] is None
    assert (await paper.call("getMultipleAccounts", [missing, str(USDC.mint)]))["value"][0] is None
    with pytest.raises(Refused):
        await paper.call("getAccountInfo", missing, {"encoding": "base64+zstd"})
