"""Swaps on every venue: exact to the unit, atomic, refused with the venue's own error."""

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from order_engine.domain.pool import ExactOutRequest, Pool, Trader
from order_engine.domain.tokens import TOKEN_PROGRAM, TOKENS_BY_SYMBOL, WRAPPED_SOL, associated_token_address
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.raydium_amm_v4.pool import RaydiumAmmV4Pool
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool
from tests.papernet.client import CONFIRMED, PaperRpc, Swap, pay, signed, swap_of
from tests.papernet.conftest import Start

USDC, PYUSD, RAY = (TOKENS_BY_SYMBOL[symbol].mint for symbol in ("USDC", "PYUSD", "RAY"))
VENUES = pytest.mark.parametrize("venue", [RaydiumCpmmPool, MeteoraDammV2Pool, RaydiumAmmV4Pool])
TOKEN_2022_VENUES = pytest.mark.parametrize("venue", [RaydiumCpmmPool, MeteoraDammV2Pool])
PRIORITY = [set_compute_unit_limit(200_000), set_compute_unit_price(10_000)]
FEE = 5_000 + 2_000


async def _transaction(paper: PaperRpc, wallet: Keypair, swap: Swap):
    blockhash, _ = await paper.blockhash()
    return signed(wallet, [*PRIORITY, *swap.instructions()], blockhash)


async def _everything(paper: PaperRpc, addresses: list[Pubkey]) -> list[object]:
    return list(await paper.accounts(addresses))


@VENUES
async def test_sol_is_wrapped_swapped_and_unwrapped_for_exactly_the_quote(
    paper: PaperRpc, wallet: Keypair, venue: type[Pool]
) -> None:
    me = wallet.pubkey()
    swap = swap_of(await paper.pool(venue, WRAPPED_SOL, USDC), me, WRAPPED_SOL, USDC, 1_234_567_891)
    lamports, usdc = await paper.lamports(me), await paper.tokens(me, USDC)
    status = await paper.land(await _transaction(paper, wallet, swap))
    assert status["err"] is None
    assert await paper.tokens(me, USDC) - usdc == swap.quote.amount_out
    assert lamports - await paper.lamports(me) == 1_234_567_891 + FEE
    assert await paper.tokens(me, WRAPPED_SOL) == 0


@VENUES
async def test_usdc_is_swapped_to_native_sol_for_exactly_the_quote(
    paper: PaperRpc, wallet: Keypair, venue: type[Pool]
) -> None:
    me = wallet.pubkey()
    swap = swap_of(await paper.pool(venue, WRAPPED_SOL, USDC), me, USDC, WRAPPED_SOL, 98_765_432)
    lamports, usdc = await paper.lamports(me), await paper.tokens(me, USDC)
    assert (await paper.land(await _transaction(paper, wallet, swap)))["err"] is None
    assert usdc - await paper.tokens(me, USDC) == 98_765_432
    assert await paper.lamports(me) - lamports == swap.quote.amount_out - FEE


@TOKEN_2022_VENUES
async def test_a_token_2022_mint_swaps_exactly(paper: PaperRpc, wallet: Keypair, venue: type[Pool]) -> None:
    me = wallet.pubkey()
    swap = swap_of(await paper.pool(venue, PYUSD, USDC), me, USDC, PYUSD, 5_000_000)
    before = await paper.tokens(me, PYUSD)
    assert (await paper.land(await _transaction(paper, wallet, swap)))["err"] is None
    assert await paper.tokens(me, PYUSD) - before == swap.quote.amount_out


async def test_an_exact_amount_is_bought_for_exactly_the_quote(paper: PaperRpc, wallet: Keypair) -> None:
    me = wallet.pubkey()
    pool = await paper.pool(RaydiumAmmV4Pool, WRAPPED_SOL, RAY)
    assert isinstance(pool, RaydiumAmmV4Pool)
    quote = pool.quote_exact_out(ExactOutRequest(token_in=RAY, token_out=WRAPPED_SOL, amount_out=10**9))
    steps = Swap(wallet=me, pool=pool, quote=quote, min_amount_out=1).instructions()
    source, target = (associated_token_address(me, mint, TOKEN_PROGRAM) for mint in (RAY, WRAPPED_SOL))
    trader = Trader(owner=me, token_account_in=source, token_account_out=target)
    blockhash, _ = await paper.blockhash()
    one_too_few = pool.exact_out_instruction(quote, quote.amount_in - 1, trader)
    status = await paper.land(signed(wallet, [steps[0], one_too_few], blockhash))
    assert status["err"] == {"InstructionError": [1, {"Custom": 30}]}
    before = await paper.tokens(me, RAY)
    enough = pool.exact_out_instruction(quote, quote.amount_in, trader)
    assert (await paper.land(signed(wallet, [steps[0], enough], blockhash)))["err"] is None
    assert before - await paper.tokens(me, RAY) == quote.amount_in
    assert await paper.tokens(me, WRAPPED_SOL) == 10**9


@VENUES
async def test_two_swaps_on_one_pool_in_one_transaction_follow_each_other(
    paper: PaperRpc, wallet: Keypair, venue: type[Pool]
) -> None:
    me = wallet.pubkey()
    pool = await paper.pool(venue, WRAPPED_SOL, USDC)
    first = swap_of(pool, me, USDC, WRAPPED_SOL, 500_000_000_000)
    steps = first.instructions()[:-1]  # the wrapped SOL stays
    blockhash, _ = await paper.blockhash()
    status = await paper.land(signed(wallet, [*PRIORITY, *steps, steps[-1]], blockhash))
    # the second one pays less than the quote of the untouched pool, so its min_amount_out refuses it
    assert status["err"] == {"InstructionError": [2 + len(steps), {"Custom": venue.SLIPPAGE_ERROR}]}
    modest = Swap(wallet=me, pool=pool, quote=first.quote, min_amount_out=1).instructions()[:-1]
    assert (await paper.land(signed(wallet, [*PRIORITY, *modest, modest[-1]], blockhash)))["err"] is None
    got = await paper.tokens(me, WRAPPED_SOL)
    assert first.quote.amount_out < got < 2 * first.quote.amount_out


@VENUES
async def test_a_min_amount_out_that_is_missed_fails_with_the_venues_code_and_moves_nothing_but_the_fee(
    paper: PaperRpc, wallet: Keypair, venue: type[Pool]
) -> None:
    me = wallet.pubkey()
    pool = await paper.pool(venue, WRAPPED_SOL, USDC)
    fair = swap_of(pool, me, WRAPPED_SOL, USDC, 10**9)
    greedy = Swap(wallet=me, pool=pool, quote=fair.quote, min_amount_out=fair.quote.amount_out + 1)
    transaction = await _transaction(paper, wallet, greedy)
    others = [key for key in transaction.message.account_keys if key != me]
    before, lamports = await _everything(paper, others), await paper.lamports(me)
    simulated = await paper.simulate(transaction)
    status = await paper.land(transaction)
    index = next(
        number
        for number, instruction in enumerate(transaction.message.instructions)
        if transaction.message.account_keys[instruction.program_id_index] == venue.PROGRAM_ID
    )
    assert status["err"] == {"InstructionError": [index, {"Custom": venue.SLIPPAGE_ERROR}]} == simulated["err"]
    assert await _everything(paper, others) == before
    assert lamports - await paper.lamports(me) == FEE


async def test_the_priority_fee_by_default_limit_counts_the_venue_and_not_what_stands_in_for_it(
    paper: PaperRpc, wallet: Keypair
) -> None:
    me = wallet.pubkey()
    swap = swap_of(await paper.pool(RaydiumCpmmPool, PYUSD, USDC), me, USDC, PYUSD, 5_000_000)
    blockhash, _ = await paper.blockhash()
    transaction = signed(wallet, [set_compute_unit_price(1_000_000), *swap.instructions()], blockhash)
    lamports = await paper.lamports(me)
    assert (await paper.land(transaction))["err"] is None
    assert lamports - await paper.lamports(me) == 5_000 + 3_000 + 2 * 200_000


async def test_a_payer_may_spend_its_last_lamport_beside_a_swap(paper: PaperRpc, wallet: Keypair) -> None:
    me, rest = wallet.pubkey(), await paper.lamports(wallet.pubkey()) - FEE
    swap = swap_of(await paper.pool(RaydiumCpmmPool, PYUSD, USDC), me, USDC, PYUSD, 5_000_000)
    blockhash, _ = await paper.blockhash()

    def spending(lamports: int) -> list[Instruction]:
        return [*PRIORITY, *swap.instructions(), pay(wallet, Pubkey.new_unique(), lamports)]

    one_too_much = await paper.land(signed(wallet, spending(rest + 1), blockhash))
    assert one_too_much["err"] == {"InstructionError": [4, {"Custom": 1}]}
    rest -= FEE
    assert (await paper.land(signed(wallet, spending(rest), blockhash)))["err"] is None
    assert await paper.lamports(me) == 0


async def test_the_failure_rate_fails_swaps_like_slippage_and_agrees_on_resends(start: Start, wallet: Keypair) -> None:
    paper = await start(failure_rate=1.0)
    me = wallet.pubkey()
    swap = swap_of(await paper.pool(RaydiumCpmmPool, WRAPPED_SOL, USDC), me, WRAPPED_SOL, USDC, 10**9)
    transaction = await _transaction(paper, wallet, swap)
    lamports = await paper.lamports(me)
    assert (await paper.simulate(transaction))["err"] is None
    status = await paper.land(transaction)
    assert status["err"] == {"InstructionError": [6, {"Custom": 6005}]}
    assert lamports - await paper.lamports(me) == FEE
    await paper.call("paperSetFailureRate", 0)
    assert (await paper.land(transaction))["err"] == status["err"]
    assert lamports - await paper.lamports(me) == FEE


async def test_a_transaction_tells_what_it_did_to_balances(paper: PaperRpc, wallet: Keypair) -> None:
    me = wallet.pubkey()
    swap = swap_of(await paper.pool(RaydiumCpmmPool, WRAPPED_SOL, USDC), me, WRAPPED_SOL, USDC, 10**9)
    transaction = await _transaction(paper, wallet, swap)
    await paper.land(transaction)
    await paper.advance(1)
    shown = await paper.call(
        "getTransaction",
        str(transaction.signatures[0]),
        {**CONFIRMED, "encoding": "json", "maxSupportedTransactionVersion": 0},
    )
    meta, keys = shown["meta"], shown["transaction"]["message"]["accountKeys"]
    assert meta["fee"] == FEE
    assert meta["preBalances"][0] - meta["postBalances"][0] == 10**9 + FEE
    ata = str(associated_token_address(me, USDC, TOKENS_BY_SYMBOL["USDC"].token_program))

    def held(balances: list[dict]) -> int:
        (entry,) = (entry for entry in balances if keys[entry["accountIndex"]] == ata)
        assert entry["owner"] == str(me)
        return int(entry["uiTokenAmount"]["amount"])

    assert held(meta["postTokenBalances"]) - held(meta["preTokenBalances"]) == swap.quote.amount_out
    assert meta["computeUnitsConsumed"] > 40_000


async def test_simulation_shows_accounts_after_the_swap_and_changes_nothing(paper: PaperRpc, wallet: Keypair) -> None:
    me = wallet.pubkey()
    pool = await paper.pool(RaydiumCpmmPool, WRAPPED_SOL, USDC)
    swap = swap_of(pool, me, USDC, WRAPPED_SOL, 10**9)
    transaction = await _transaction(paper, wallet, swap)
    ata = associated_token_address(me, USDC, TOKENS_BY_SYMBOL["USDC"].token_program)
    before = await paper.accounts([ata, pool.address])
    report = await paper.simulate(
        transaction, accounts={"encoding": "base64", "addresses": [str(ata), str(pool.address)]}
    )
    assert report["err"] is None
    assert report["unitsConsumed"] > 30_000
    shown, shown_pool = report["accounts"]
    assert shown["owner"] == str(TOKENS_BY_SYMBOL["USDC"].token_program)
    assert await paper.accounts([ata, pool.address]) == before
    await paper.land(transaction)
    after = await paper.call(
        "getMultipleAccounts", [str(ata), str(pool.address)], {"commitment": "processed", "encoding": "base64"}
    )
    assert after["value"][0]["data"] == shown["data"]
    assert after["value"][1]["data"][0][:700] == shown_pool["data"][0][:700]
