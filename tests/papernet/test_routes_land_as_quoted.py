"""What a route says is what its transaction does, to the unit; and where a pool has moved, what its bounds allow."""

import json
import random
import struct
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from order_engine.domain.chain_errors import failed_instruction
from order_engine.domain.route import Route, SwapTerms
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKENS_BY_SYMBOL, WRAPPED_SOL, associated_token_address
from order_engine.papernet.images import SYSTEM_PROGRAM, image, token_holding
from order_engine.usecases.read_wallet import ReadWallet
from order_engine.usecases.swap_plan import leg_at, refusal
from order_engine.venues import VENUES
from tests.papernet.client import create_token_account, signed
from tests.papernet.moved_pools import Stranger, fate_of
from tests.papernet.quoted_swaps import HUBS, PLENTY, Attempt, Case, Desk, check_landed, desk, random_case

BOUND_ERRORS = {venue.VENUE: {venue.SLIPPAGE_ERROR, venue.EXCESS_INPUT_ERROR} for venue in VENUES.values()}
ARRAYS_MISSING = {"meteora_dlmm": 3005, "raydium_clmm": 6028}  # the price left those that the instruction names
FURTHER_CANDIDATES = 2  # of a case, besides the chosen one


@pytest.fixture
async def still(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path / "net", seed=1) as one:
        yield one


@pytest.mark.parametrize("seed", range(3))
async def test_every_candidate_does_exactly_what_it_says(still: Desk, seed: int) -> None:
    chance, seen = random.Random(seed), Counter[str]()  # noqa: S311 a seed must give the same cases again
    for _ in range(20):
        case = random_case(chance)
        ready = await _ready(still, case, chance)
        for attempt in ready:
            simulated = await still.chain.simulate(attempt.plan)
            assert simulated.error is None, (case, simulated.logs)
            check_landed(case, attempt, still.preview(attempt), attempt.route.legs)
            seen.update([f"{len(attempt.route.hops)} hops", attempt.route.swap_mode])
        if ready:
            await _lands(still, case, chance.choice(ready))
            seen["landed"] += 1
    assert min(seen[kind] for kind in ("1 hops", "2 hops", "exact_in", "exact_out", "landed")) >= 3, seen


@pytest.mark.parametrize("seed", range(3, 6))
async def test_in_pools_that_moved_a_route_lands_only_within_its_bounds(still: Desk, seed: int) -> None:
    chance, seen = random.Random(seed), Counter[str]()  # noqa: S311
    stranger = Stranger(still, chance)
    for _ in range(20):
        case = random_case(chance)
        route = (await still.decide(case)).route
        if route is None or route.max_amount_in > PLENTY:
            continue
        attempt = await still.prepare(case, route)
        stranger.trade(attempt)
        still.settle()
        seen[await _meets_its_fate(still, case, attempt)] += 1
    assert seen["landed"] >= 3, seen
    assert seen["broke a bound"] >= 3, seen
    assert seen["left its arrays"] + seen["was refused"] <= seen["broke a bound"], seen


async def _ready(still: Desk, case: Case, chance: random.Random) -> list[Attempt]:
    """Return the chosen route and a few others that fit a transaction, signed."""
    usable = [one.route for one in (await still.decide(case)).candidates if one.route and not one.reject_reason]
    picked = [*usable[:1], *chance.sample(usable[1:], min(FURTHER_CANDIDATES, len(usable[1:])))]
    return [
        await still.prepare(case, route)
        for route in picked
        if route.max_amount_in <= PLENTY and (route is usable[0] or await _fits(still, case, route))
    ]


async def _fits(still: Desk, case: Case, route: Route) -> bool:
    return not refusal(route, await still.pools(route), await still.tables(case).current())


async def _lands(still: Desk, case: Case, attempt: Attempt) -> None:
    await still.chain.send(attempt.signed)
    still.advance(2)
    fill = await still.chain.fill(attempt.signed.signature, case.swap, case.wallet.pubkey())
    assert fill is not None, case
    route = attempt.route
    said = (route.amount_in, route.amount_out, route.network_fee_lamports)
    assert (fill.amount_in, fill.amount_out, fill.fee_lamports) == said, case


async def _meets_its_fate(still: Desk, case: Case, attempt: Attempt) -> str:
    """Land the transaction and compare it with what the pools, as they are now, must make of it."""
    fate, done = fate_of(attempt.route, await still.pools(attempt.route)), still.preview(attempt)
    lamports = _lamports(still, case)
    await still.chain.send(attempt.signed)
    still.advance(2)
    (sighting,) = await still.chain.sightings(attempt.signed.signature)
    assert sighting.landed is not None
    assert (sighting.landed.error is None) == (done.error is None)
    if done.error is None:
        assert fate.failing is None, case
        check_landed(case, attempt, done, fate.legs)
        return "landed"
    failed = leg_at(attempt.route, failed_instruction(json.dumps(done.error)) or 0)
    assert failed is not None, done.error
    reason = done.error["InstructionError"][1]  # type: ignore[index]
    code = reason.get("Custom") if isinstance(reason, dict) else None
    assert lamports - _lamports(still, case) == done.fee_lamports == attempt.route.network_fee_lamports
    assert _tokens(still, case) == dict.fromkeys(case.held, PLENTY)
    if code == ARRAYS_MISSING.get(failed.venue):
        return "left its arrays"
    assert failed is fate.failing, (case, done.error)
    if not fate.breaks_bound:
        return "was refused"
    assert code in BOUND_ERRORS[failed.venue], (case, done.error)
    return "broke a bound"


def _lamports(still: Desk, case: Case) -> int:
    account = still.network.machine.account(case.wallet.pubkey())
    assert account is not None
    return account.lamports


def _tokens(still: Desk, case: Case) -> dict[Pubkey, int]:
    accounts = still.network.bank.token_accounts(case.wallet.pubkey(), still.network.head)
    holdings = [token_holding(account) for _, account in accounts]
    return {one.mint: one.amount for one in holdings if one is not None}


TRANSFER_FEE = struct.pack("<HH", 1, 108) + bytes(108)
NON_TRANSFERABLE = struct.pack("<HH", 9, 0)
TRANSFER_HOOK = struct.pack("<HH", 14, 64) + bytes(64)
POINTER = struct.pack("<HH", 18, 64) + bytes(64)


@pytest.mark.parametrize(
    "extensions",
    [
        b"",
        TRANSFER_FEE,
        TRANSFER_HOOK,
        NON_TRANSFERABLE,
        POINTER,
        POINTER + TRANSFER_HOOK + TRANSFER_FEE,
    ],
    ids=["none", "fee", "hook", "non-transferable", "pointer", "pointer-hook-fee"],
)
async def test_opening_a_token_2022_account_costs_the_rent_that_was_told(still: Desk, extensions: bytes) -> None:
    payer, mint = Keypair(), Pubkey([77] * 32)
    data = bytes(44) + bytes([6, 1]) + bytes(36)
    extended = data.ljust(165, b"\0") + b"\1" + extensions if extensions else data
    still.network.bank.load(mint, image(TOKEN_2022_PROGRAM, extended))
    still.network.bank.load(payer.pubkey(), image(SYSTEM_PROGRAM, b"", PLENTY))
    swap = SwapTerms(token_in=TOKENS_BY_SYMBOL["USDC"].mint, token_out=mint, amount=1, slippage_bps=0)
    told = (await ReadWallet(still.chain, payer.pubkey(), HUBS)(swap)).missing_rent_lamports
    address = associated_token_address(payer.pubkey(), mint, TOKEN_2022_PROGRAM)
    opening = create_token_account(payer.pubkey(), address, mint, TOKEN_2022_PROGRAM)
    transaction = signed(payer, [opening], still.network.heights.blockhash(still.network.head))
    still.network.accept(transaction, bytes(transaction))
    still.advance(1)
    account = still.network.machine.account(address)
    assert account is not None
    assert told[mint] == account.lamports
    assert told[WRAPPED_SOL] == 2_039_280
