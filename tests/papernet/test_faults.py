"""The fault plan: each item does what it says, and the same again with the same seed."""

import httpx
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.papernet.faults import FaultPlan, Faults, InvalidFaultPlan
from tests.papernet.client import PROCESSED, PaperRpc, Refused, pay, signed

SOL = 10**9


async def _send(paper: PaperRpc, wallet: Keypair) -> tuple[str, Pubkey]:
    to = Pubkey.new_unique()
    return await paper.send(signed(wallet, [pay(wallet, to, SOL)], (await paper.blockhash())[0])), to


async def test_a_dropped_send_never_lands_and_a_later_one_does(paper: PaperRpc, wallet: Keypair) -> None:
    transaction = signed(wallet, [pay(wallet, Pubkey.new_unique(), SOL)], (await paper.blockhash())[0])
    await paper.call("paperSetFaults", "drop=1")
    signature = await paper.send(transaction)
    await paper.advance(5)
    assert await paper.status(signature) is None
    await paper.call("paperSetFaults", "")
    assert (await paper.land(transaction))["err"] is None


async def test_a_delayed_transaction_lands_that_much_later(paper: PaperRpc, wallet: Keypair) -> None:
    await paper.call("paperSetFaults", "delay=1:20")
    signature, _ = await _send(paper, wallet)
    await paper.advance(19)
    assert await paper.status(signature) is None
    await paper.advance(1)
    assert await paper.status(signature) is not None


async def test_a_late_transaction_lands_at_its_last_valid_height(paper: PaperRpc, wallet: Keypair) -> None:
    await paper.call("paperSetFaults", "late=1")
    head = await paper.call("getSlot", PROCESSED)
    signature, _ = await _send(paper, wallet)
    await paper.advance(149)
    assert await paper.status(signature) is None
    await paper.advance(1)
    status = await paper.status(signature)
    assert status is not None
    assert status["slot"] == head + 150


async def test_a_duplicated_transaction_is_executed_once(paper: PaperRpc, wallet: Keypair) -> None:
    await paper.call("paperSetFaults", "duplicate=1")
    before = await paper.lamports(wallet.pubkey())
    _, to = await _send(paper, wallet)
    await paper.advance(10)
    assert await paper.lamports(to) == SOL
    assert before - await paper.lamports(wallet.pubkey()) == SOL + 5_000
    assert (await paper.call("paperState"))["pending"] == 0


async def test_a_lagging_node_answers_all_of_the_past(paper: PaperRpc, wallet: Keypair) -> None:
    head = await paper.call("getSlot", PROCESSED)
    signature, to = await _send(paper, wallet)
    await paper.advance(8)
    await paper.call("paperSetFaults", "lag=8")
    assert await paper.call("getSlot", PROCESSED) == head
    assert await paper.status(signature) is None
    assert await paper.lamports(to) == 0
    with pytest.raises(Refused) as refused:
        await paper.call("getBalance", str(to), {**PROCESSED, "minContextSlot": head + 1})
    assert (refused.value.code, refused.value.data) == (-32016, {"contextSlot": head})
    await paper.call("paperSetFaults", "lag=7")
    assert await paper.status(signature) is not None
    assert (await paper.call("getBalance", str(to), {**PROCESSED, "minContextSlot": head + 1}))["value"] == SOL


async def test_429_and_malformed_replies_spare_the_control_methods(paper: PaperRpc) -> None:
    await paper.call("paperSetFaults", "http_429=1")
    with pytest.raises(httpx.HTTPStatusError, match="429"):
        await paper.call("getSlot")
    await paper.call("paperSetFaults", "malformed=1")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        await paper.call("getSlot")
    await paper.call("paperSetFaults", "")
    assert await paper.call("getSlot") > 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("drop", "not a share"),
        ("drop=1.1", "not a share"),
        ("drop=nan", "not a share"),
        ("delay=0.1", "SHARE:SLOTS"),
        ("delay=0.1:-1", "number of slots"),
        ("lag=129", "between 0 and 128"),
        ("explode=1", "unknown fault"),
    ],
)
def test_a_wrong_plan_is_refused_with_its_item(text: str, reason: str) -> None:
    with pytest.raises(InvalidFaultPlan, match=reason) as refused:
        FaultPlan.parse(f"late=0.5, {text}")
    assert repr(text) in str(refused.value)


def test_decisions_repeat_with_the_seed_and_come_as_often_as_asked() -> None:
    signatures = [Signature.new_unique() for _ in range(2_000)]
    first, again, other = (Faults(seed, FaultPlan(), 0.05) for seed in (1, 1, 2))
    decided = [first.fails_on_chain(signature) for signature in signatures]
    assert decided == [again.fails_on_chain(signature) for signature in signatures]
    assert decided != [other.fails_on_chain(signature) for signature in signatures]
    assert 50 <= sum(decided) <= 160
