"""kill -9 and restart: what was visible stays, heights only rise, nothing is executed twice."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, TOKENS_BY_SYMBOL, WRAPPED_SOL
from order_engine.papernet.journal import JournalLocked
from order_engine.papernet.startup import WrongSeed
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool
from tests.papernet.client import PROCESSED, PaperRpc, account_of, pay, signed, swap_of
from tests.papernet.conftest import PaperProcess, serving

SOL = 10**9
USDC = TOKENS_BY_SYMBOL["USDC"].mint
FAST = {"slot_ms": 20, "land_after_slots_min": 2, "land_after_slots_max": 4}
Processes = Callable[..., PaperProcess]


async def _token_sums(paper: PaperRpc) -> dict[bytes, int]:
    """Sum every token account by mint."""
    sums: Counter[bytes] = Counter()
    for program in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM):
        config = {"encoding": "base64", "commitment": "processed"}
        listed = await paper.call("getProgramAccounts", str(program), config)
        accounts = [account_of(entry["account"]) for entry in listed]
        for account in accounts:
            if len(account.data) == 165 or (len(account.data) > 165 and account.data[165] == 2):
                sums[account.data[:32]] += int.from_bytes(account.data[64:72], "little")
    del sums[bytes(WRAPPED_SOL)]  # wrapping makes and closing burns it
    return dict(sums)


async def _until_landed(paper: PaperRpc, signature: str) -> dict:
    for _ in range(1_000):
        status = await paper.status(signature)
        if status is not None:
            return status
        await asyncio.sleep(0.01)
    raise AssertionError("it did not land")


async def test_no_visible_status_is_lost_or_changed_by_kills(processes: Processes) -> None:
    wallets = [Keypair() for _ in range(3)]
    process = processes(wallets, failure_rate=0.2, market_volatility_bps=20, market_step_slots=25, **FAST)
    seen: dict[str, object] = {}
    sent: list[VersionedTransaction] = []
    heights: list[int] = []
    sums: list[dict[bytes, int]] = []
    for round_number in range(4):
        async with httpx.AsyncClient() as http:
            paper = PaperRpc(process.url, http)
            await _swap_for_a_while(paper, wallets, round_number, seen, sent, heights)
        process.kill()
        process.start()
        async with httpx.AsyncClient() as http:
            paper = PaperRpc(process.url, http)
            heights.append(await paper.call("getBlockHeight", PROCESSED))
            for signature, outcome in seen.items():
                status = await paper.status(signature)
                assert status is not None, "a visible status is gone"
                assert (status["slot"], status["err"]) == outcome
            sums.append(await _token_sums(paper))
    assert heights == sorted(heights)
    assert all(later == sums[0] for later in sums)
    assert len(seen) >= 48
    assert {outcome[1] is None for outcome in seen.values()} == {True, False}


async def _swap_for_a_while(
    paper: PaperRpc,
    wallets: list[Keypair],
    round_number: int,
    seen: dict,
    sent: list[VersionedTransaction],
    heights: list[int],
) -> None:
    pool = await paper.pool(RaydiumCpmmPool, WRAPPED_SOL, USDC)
    for number in range(500):
        if number >= 8 and len(seen) >= 12 * (round_number + 1):
            return
        blockhash, _ = await paper.blockhash()
        for wallet in wallets:
            swap = swap_of(pool, wallet.pubkey(), USDC, WRAPPED_SOL, 10**6 + number + 1_000 * round_number)
            sent.append(signed(wallet, swap.instructions(), blockhash))
            await paper.send(sent[-1])
        recent = [str(transaction.signatures[0]) for transaction in sent[-30:]]
        for signature, status in zip(recent, (await paper.statuses(recent)), strict=True):
            if status is not None:
                seen[signature] = (status["slot"], status["err"])
        heights.append(await paper.call("getBlockHeight", PROCESSED))


async def test_the_same_bytes_are_executed_once_across_kills(processes: Processes, wallet: Keypair) -> None:
    process = processes([wallet], **FAST)
    to = Pubkey.new_unique()
    transaction = None
    first = None
    for _ in range(3):
        async with httpx.AsyncClient() as http:
            paper = PaperRpc(process.url, http)
            if transaction is None:
                transaction = signed(wallet, [pay(wallet, to, SOL)], (await paper.blockhash())[0])
            for _ in range(17):
                await paper.send(transaction)
            status = await _until_landed(paper, str(transaction.signatures[0]))
            first = first or status["slot"]
            assert status["slot"] == first
            assert await paper.lamports(to) == SOL
        process.kill()
        process.start()
    async with httpx.AsyncClient() as http:
        paper = PaperRpc(process.url, http)
        assert (await paper.call("paperState"))["landed"] == 1


async def test_a_transaction_in_flight_at_a_kill_can_be_sent_again(processes: Processes, wallet: Keypair) -> None:
    process = processes([wallet], **{**FAST, "slot_ms": 100, "land_after_slots_min": 100, "land_after_slots_max": 100})
    async with httpx.AsyncClient() as http:
        paper = PaperRpc(process.url, http)
        blockhash, last_valid = await paper.blockhash()
        transaction = signed(wallet, [pay(wallet, Pubkey.new_unique(), SOL)], blockhash)
        await paper.send(transaction)
    process.kill()
    process.start()
    async with httpx.AsyncClient() as http:
        paper = PaperRpc(process.url, http)
        assert await paper.status(str(transaction.signatures[0])) is None
        assert await paper.call("getBlockHeight", PROCESSED) <= last_valid - 150 + 17 + 5  # reserved, and gone by since
        await paper.send(transaction)
        await paper.advance(101)
        assert await paper.status(str(transaction.signatures[0])) is not None


async def test_finalized_reads_survive_a_restart_as_they_were(processes: Processes, wallet: Keypair) -> None:
    process = processes([wallet], slot_ms=60_000)
    to = Pubkey.new_unique()
    async with httpx.AsyncClient() as http:
        paper = PaperRpc(process.url, http)
        await paper.land(signed(wallet, [pay(wallet, to, SOL)], (await paper.blockhash())[0]))
    process.kill()
    process.start()
    async with httpx.AsyncClient() as http:
        paper = PaperRpc(process.url, http)
        assert (await paper.call("getBalance", str(to)))["value"] == 0
        assert await paper.lamports(to) == SOL
        await paper.advance(32)
        assert (await paper.call("getBalance", str(to)))["value"] == SOL


async def test_terminate_ends_the_process_cleanly(processes: Processes, wallet: Keypair) -> None:
    process = processes([wallet])
    assert process.terminate() == 0


async def test_a_funded_wallet_is_not_funded_again(tmp_path: Path, wallet: Keypair) -> None:
    for _ in range(2):
        async with serving(tmp_path, wallet) as paper:
            assert await paper.lamports(wallet.pubkey()) == 10_000 * SOL
            assert await paper.tokens(wallet.pubkey(), USDC) == 1_000_000 * 10**6


async def test_another_seed_or_a_second_process_is_refused(tmp_path: Path, wallet: Keypair) -> None:
    async with serving(tmp_path, wallet, seed=1):
        with pytest.raises(JournalLocked):
            async with serving(tmp_path, wallet, seed=1):
                pass
    with pytest.raises(WrongSeed):
        async with serving(tmp_path, wallet, seed=2):
            pass
