"""What the chain does with transactions: signatures, blockhashes, duplicates, fees, airdrops."""

from base64 import b64encode

import pytest
from base58 import b58encode
from solders.hash import Hash
from solders.instruction import CompiledInstruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import Transaction, VersionedTransaction

from tests.papernet.client import CONFIRMED, PROCESSED, PaperRpc, Refused, pay, signed
from tests.papernet.conftest import Start

SOL = 10**9


async def test_a_transfer_lands_and_pays_the_base_fee(paper: PaperRpc, wallet: Keypair) -> None:
    to = Pubkey.new_unique()
    before = await paper.lamports(wallet.pubkey())
    status = await paper.land(signed(wallet, [pay(wallet, to, SOL)], (await paper.blockhash())[0]))
    assert status["err"] is None
    assert status["confirmationStatus"] == "processed"
    assert await paper.lamports(to) == SOL
    assert before - await paper.lamports(wallet.pubkey()) == SOL + 5_000


async def test_a_legacy_transaction_lands(paper: PaperRpc, wallet: Keypair) -> None:
    to, (blockhash, _) = Pubkey.new_unique(), await paper.blockhash()
    message = Message.new_with_blockhash([pay(wallet, to, SOL)], wallet.pubkey(), blockhash)
    raw = bytes(Transaction([wallet], message, blockhash))
    signature = await paper.call("sendTransaction", b58encode(raw).decode())
    await paper.advance(2)
    shown = await paper.call("getTransaction", signature, CONFIRMED)
    assert shown["meta"]["postBalances"][1] == SOL
    assert "version" not in shown


async def test_commitment_rises_with_the_slots_and_reads_follow_it(paper: PaperRpc, wallet: Keypair) -> None:
    to = Pubkey.new_unique()
    transaction = signed(wallet, [pay(wallet, to, SOL)], (await paper.blockhash())[0])
    await paper.land(transaction)

    async def seen() -> tuple[str, list[int]]:
        status = await paper.status(str(transaction.signatures[0]))
        assert status is not None
        levels = ("processed", "confirmed", "finalized")
        balances = [await paper.call("getBalance", str(to), {"commitment": level}) for level in levels]
        return status["confirmationStatus"], [balance["value"] for balance in balances]

    assert await seen() == ("processed", [SOL, 0, 0])
    await paper.advance(1)
    assert await seen() == ("confirmed", [SOL, SOL, 0])
    await paper.advance(30)
    assert await seen() == ("confirmed", [SOL, SOL, 0])
    await paper.advance(1)
    assert await seen() == ("finalized", [SOL, SOL, SOL])


async def test_landing_takes_the_slots_it_is_told(start: Start, wallet: Keypair) -> None:
    paper = await start(land_after_slots_min=5, land_after_slots_max=7)
    slots = set()
    for number in range(1, 61):  # until every delay came up, and none that is not allowed
        head = await paper.call("getSlot", PROCESSED)
        transaction = signed(wallet, [pay(wallet, Pubkey.new_unique(), SOL + number)], (await paper.blockhash())[0])
        signature = await paper.send(transaction)
        await paper.advance(4)
        assert await paper.status(signature) is None
        await paper.advance(3)
        status = await paper.status(signature)
        assert status is not None
        slots.add(status["slot"] - head)
        if len(slots) == 3 and number >= 12:
            break
    assert slots == {5, 6, 7}


async def test_a_blockhash_is_good_for_150_blocks_and_not_for_one_more(paper: PaperRpc, wallet: Keypair) -> None:
    blockhash, last_valid = await paper.blockhash()
    in_time, late = (signed(wallet, [pay(wallet, Pubkey.new_unique(), SOL)], blockhash) for _ in range(2))
    head = await paper.call("getBlockHeight", PROCESSED)
    assert last_valid == head + 150
    await paper.advance(149)
    assert (await paper.land(in_time))["err"] is None
    assert await paper.call("getBlockHeight", PROCESSED) == last_valid
    assert (await paper.call("isBlockhashValid", str(blockhash), PROCESSED))["value"] is True
    before = await paper.lamports(wallet.pubkey())
    signature = await paper.send(late)
    await paper.advance(1)
    assert await paper.status(signature) is None
    assert await paper.lamports(wallet.pubkey()) == before
    assert (await paper.call("isBlockhashValid", str(blockhash), PROCESSED))["value"] is False
    assert (await paper.simulate(late))["err"] == "BlockhashNotFound"


async def test_an_unknown_blockhash_fails_the_preflight_and_never_lands(paper: PaperRpc, wallet: Keypair) -> None:
    transaction = signed(wallet, [pay(wallet, Pubkey.new_unique(), SOL)], Hash.new_unique())
    with pytest.raises(Refused) as refused:
        await paper.send(transaction, skipPreflight=False)
    assert refused.value.code == -32002
    assert refused.value.data["err"] == "BlockhashNotFound"
    signature = await paper.send(transaction)
    await paper.advance(3)
    assert await paper.status(signature) is None


async def test_the_same_bytes_sent_fifty_times_are_executed_once(paper: PaperRpc, wallet: Keypair) -> None:
    to = Pubkey.new_unique()
    transaction = signed(wallet, [pay(wallet, to, SOL)], (await paper.blockhash())[0])
    for _ in range(10):
        await paper.send(transaction)
    await paper.advance(1)
    blockhash, _ = await paper.blockhash()
    for other in range(40):  # the machine itself forgets a signature after 32 other transactions
        await paper.send(signed(wallet, [pay(wallet, Pubkey.new_unique(), SOL + other)], blockhash))
        await paper.send(transaction)
        await paper.advance(1)
    assert (await paper.call("paperState"))["landed"] == 41
    assert await paper.lamports(to) == SOL
    with pytest.raises(Refused, match="already been processed"):
        await paper.send(transaction, skipPreflight=False)


async def test_a_wrong_signature_is_refused(paper: PaperRpc, wallet: Keypair) -> None:
    good = signed(wallet, [pay(wallet, Pubkey.new_unique(), SOL)], (await paper.blockhash())[0])
    bad = VersionedTransaction.populate(good.message, [Signature.new_unique()])
    with pytest.raises(Refused) as refused:
        await paper.send(bad)
    assert refused.value.code == -32003
    assert (await paper.simulate(bad))["err"] is None
    with pytest.raises(Refused):
        await paper.simulate(bad, sigVerify=True)


async def test_an_instruction_that_points_nowhere_is_refused(paper: PaperRpc, wallet: Keypair) -> None:
    good = signed(wallet, [pay(wallet, Pubkey.new_unique(), SOL)], (await paper.blockhash())[0])
    keys, recent = list(good.message.account_keys), good.message.recent_blockhash
    for program_index, accounts in ((9, b"\x00"), (2, b"\x00\x09")):
        broken = MessageV0(good.message.header, keys, recent, [CompiledInstruction(program_index, b"", accounts)], [])
        with pytest.raises(Refused) as refused:
            await paper.send(VersionedTransaction.populate(broken, good.signatures))
        assert refused.value.code == -32602


async def test_a_payer_without_the_fee_does_not_land_and_loses_nothing(paper: PaperRpc, wallet: Keypair) -> None:
    poor, nobody = Keypair(), Keypair()
    rent = await paper.call("getMinimumBalanceForRentExemption", 0)
    blockhash, _ = await paper.blockhash()
    await paper.land(signed(wallet, [pay(wallet, poor.pubkey(), rent + 5_000)], blockhash))
    too_much = signed(poor, [pay(poor, Pubkey.new_unique(), 2 * rent)], blockhash)
    assert (await paper.land(too_much))["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert await paper.lamports(poor.pubkey()) == rent
    unfunded = signed(nobody, [pay(nobody, Pubkey.new_unique(), 1)], blockhash)
    assert (await paper.simulate(unfunded))["err"] == "AccountNotFound"
    signature = await paper.send(unfunded)
    await paper.advance(2)
    assert await paper.status(signature) is None


async def test_two_equal_airdrops_in_one_slot_both_arrive(paper: PaperRpc) -> None:
    to = Pubkey.new_unique()
    first, second = [await paper.call("requestAirdrop", str(to), SOL) for _ in range(2)]
    assert first != second
    await paper.advance(1)
    assert await paper.lamports(to) == 2 * SOL
    with pytest.raises(Refused) as refused:
        await paper.call("requestAirdrop", str(to), 10_001 * SOL)
    assert refused.value.code == -32602


async def test_the_fee_of_a_message_is_told_beforehand(paper: PaperRpc, wallet: Keypair) -> None:
    message = signed(wallet, [pay(wallet, Pubkey.new_unique(), SOL)], (await paper.blockhash())[0]).message
    raw = (
        b64encode(b"\x80" + bytes(message)).decode() if bytes(message)[0] < 128 else b64encode(bytes(message)).decode()
    )
    assert (await paper.call("getFeeForMessage", raw, PROCESSED))["value"] == 5_000


async def test_signatures_are_found_by_any_address_they_touched(paper: PaperRpc, wallet: Keypair) -> None:
    to = Pubkey.new_unique()
    sent = []
    for number in range(3):
        transaction = signed(wallet, [pay(wallet, to, SOL + number)], (await paper.blockhash())[0])
        await paper.land(transaction)
        sent.append(str(transaction.signatures[0]))
    await paper.advance(1)

    async def found(**options: object) -> list[str]:
        entries = await paper.call("getSignaturesForAddress", str(to), {**CONFIRMED, **options})
        return [entry["signature"] for entry in entries]

    assert await found() == sent[::-1]
    assert await found(limit=1) == [sent[2]]
    assert await found(before=sent[2]) == [sent[1], sent[0]]
    assert await found(until=sent[0]) == [sent[2], sent[1]]
