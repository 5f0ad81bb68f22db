"""Several swaps in one transaction: each exact to the unit, one after the other, and all of them or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import pytest
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from order_engine.domain.errors import QuoteRefused
from order_engine.domain.pool import Account, AccountSnapshot, Pool, Quote, SwapRequest, Trader
from order_engine.domain.tokens import TOKENS_BY_MINT, TOKENS_BY_SYMBOL, associated_token_address
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.meteora_dlmm.pool import MeteoraDlmmPool
from order_engine.venues.raydium_amm_v4.pool import RaydiumAmmV4Pool
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool
from tests.papernet.client import CLOCK, PaperRpc, account_of, create_token_account, signed

CPMM, AMM_V4, CLMM = RaydiumCpmmPool, RaydiumAmmV4Pool, RaydiumClmmPool
DAMM, DLMM = MeteoraDammV2Pool, MeteoraDlmmPool
VENUES = (CPMM, AMM_V4, CLMM, DAMM, DLMM)
LIMIT = set_compute_unit_limit(1_400_000)
FEE = 5_000
BIG = 20_000_000_000  # 20,000 USDC

Hop = tuple[type[Pool], str, str]


@dataclass(frozen=True, kw_only=True)
class Leg:
    pool: Pool
    quote: Quote
    min_amount_out: int

    def swap(self, owner: Pubkey) -> Instruction:
        source, target = (_wallet(owner, mint) for mint in (self.quote.token_in, self.quote.token_out))
        trader = Trader(owner=owner, token_account_in=source, token_account_out=target)
        return self.pool.swap_instruction(self.quote, self.min_amount_out, trader)


def _wallet(owner: Pubkey, mint: Pubkey) -> Pubkey:
    return associated_token_address(owner, mint, TOKENS_BY_MINT[mint].token_program)


def _leg(pool: Pool, token_in: Pubkey, token_out: Pubkey, amount_in: int, *, more: int = 0) -> Leg:
    quote = pool.quote(SwapRequest(token_in=token_in, token_out=token_out, amount_in=amount_in))
    return Leg(pool=pool, quote=quote, min_amount_out=quote.amount_out + more)


async def _hop(paper: PaperRpc, hop: Hop, amount_in: int) -> Leg:
    venue, token_in, token_out = hop[0], TOKENS_BY_SYMBOL[hop[1]].mint, TOKENS_BY_SYMBOL[hop[2]].mint
    return _leg(await paper.pool(venue, token_in, token_out), token_in, token_out, amount_in)


async def _hops(paper: PaperRpc, hops: Sequence[Hop], amount_in: int) -> list[Leg]:
    """Return legs of which each spends what the one before it pays."""
    legs: list[Leg] = []
    for hop in hops:
        legs.append(await _hop(paper, hop, legs[-1].quote.amount_out if legs else amount_in))
    return legs


async def _transaction(paper: PaperRpc, wallet: Keypair, legs: Sequence[Leg]) -> VersionedTransaction:
    """Create the wallet's accounts, then swap: instruction 0 is the compute limit, the last ones are the swaps."""
    me = wallet.pubkey()
    created = dict.fromkeys(leg.quote.token_out for leg in legs)
    creating = [create_token_account(me, _wallet(me, m), m, TOKENS_BY_MINT[m].token_program) for m in created]
    (blockhash, _), swaps = await paper.blockhash(), [leg.swap(me) for leg in legs]
    return signed(wallet, [LIMIT, *creating, *swaps], blockhash)


async def _balances(paper: PaperRpc, owner: Pubkey, legs: Sequence[Leg]) -> dict[Pubkey, int]:
    mints = {mint for leg in legs for mint in (leg.quote.token_in, leg.quote.token_out)}
    return {mint: await paper.tokens(owner, mint) for mint in mints}


async def _lands_exactly(paper: PaperRpc, wallet: Keypair, legs: Sequence[Leg]) -> None:
    """Land the legs and compare the wallet with their quotes, and the pools with what the wallet gave and got."""
    me, expected = wallet.pubkey(), await _balances(paper, wallet.pubkey(), legs)
    for leg in legs:
        expected[leg.quote.token_in] -= leg.quote.amount_in
        expected[leg.quote.token_out] += leg.quote.amount_out
    transaction = await _transaction(paper, wallet, legs)
    assert (await paper.simulate(transaction))["err"] is None
    status = await paper.land(transaction)
    assert status["err"] is None
    assert await _balances(paper, me, legs) == expected


async def _after(paper: PaperRpc, wallet: Keypair, leg: Leg) -> Pool:
    """Return the leg's pool as it would be after the leg, without carrying it out."""
    venue, address = type(leg.pool), leg.pool.address
    transaction = await _transaction(paper, wallet, [leg])
    (account,) = await paper.accounts([address])
    assert account is not None
    keys = [address, *venue.dependencies(address, account)]
    wanted = {"encoding": "base64", "addresses": list(map(str, transaction.message.account_keys))}
    report = await paper.simulate(transaction, accounts=wanted)
    assert report["err"] is None
    found: dict[Pubkey, Account | None] = dict(zip(keys, await paper.accounts(keys), strict=True))
    changed = zip(transaction.message.account_keys, report["accounts"], strict=True)
    found.update({key: account_of(shown) for key, shown in changed if shown is not None and key in found})
    accounts = {key: account for key, account in found.items() if account is not None}
    (clock,) = await paper.accounts([CLOCK])
    assert clock is not None
    slot, epoch, now = (int.from_bytes(clock.data[at : at + 8], "little") for at in (0, 16, 32))
    return venue.decode(address, AccountSnapshot(slot=slot, unix_timestamp=now, epoch=epoch, accounts=accounts))


@pytest.mark.parametrize("venues", list(combinations(VENUES, 2)), ids=lambda pair: "+".join(v.VENUE for v in pair))
async def test_an_order_is_split_over_two_venues(
    paper: PaperRpc, wallet: Keypair, venues: tuple[type[Pool], ...]
) -> None:
    legs = [await _hop(paper, (venue, "USDC", "SOL"), BIG) for venue in venues]
    await _lands_exactly(paper, wallet, legs)


@pytest.mark.parametrize("venues", [(CPMM, AMM_V4, DAMM), (AMM_V4, DLMM, CPMM)])
async def test_an_order_is_split_over_three_venues(
    paper: PaperRpc, wallet: Keypair, venues: tuple[type[Pool], ...]
) -> None:
    legs = [await _hop(paper, (venue, "USDC", "SOL"), BIG) for venue in venues]
    await _lands_exactly(paper, wallet, legs)


@pytest.mark.parametrize(
    "hops",
    [
        *([(venue, "JUP", "USDC"), (venue, "USDC", "SOL")] for venue in (CPMM, CLMM, DAMM, DLMM)),
        [(AMM_V4, "RAY", "SOL"), (AMM_V4, "SOL", "USDC")],
        [(CLMM, "JUP", "USDT"), (CLMM, "USDT", "USDC")],
        [(CLMM, "mSOL", "SOL"), (AMM_V4, "SOL", "USDT")],
        [(CPMM, "BONK", "SOL"), (CPMM, "SOL", "USDC"), (CPMM, "USDC", "PYUSD")],
        [(DAMM, "PYUSD", "USDC"), (DAMM, "USDC", "SOL"), (AMM_V4, "SOL", "BONK")],
        [(AMM_V4, "BONK", "SOL"), (AMM_V4, "SOL", "USDC"), (DLMM, "USDC", "PYUSD")],
    ],
    ids=lambda hops: " ".join(f"{venue.VENUE}:{base}-{quote}" for venue, base, quote in hops),
)
async def test_a_hop_spends_what_the_one_before_it_paid(paper: PaperRpc, wallet: Keypair, hops: list[Hop]) -> None:
    await _lands_exactly(paper, wallet, await _hops(paper, hops, 1_000_000_000))


@pytest.mark.parametrize("venue", VENUES)
async def test_the_same_pool_twice_pays_what_the_moved_pool_pays(
    paper: PaperRpc, wallet: Keypair, venue: type[Pool]
) -> None:
    first = await _hop(paper, (venue, "USDC", "SOL"), BIG)
    moved = await _after(paper, wallet, first)
    second = _leg(moved, first.quote.token_in, first.quote.token_out, BIG)
    assert second.quote.amount_out < first.quote.amount_out
    await _lands_exactly(paper, wallet, [first, second])


@pytest.mark.parametrize("venue", VENUES)
async def test_there_and_back_on_one_pool_loses_the_fees(paper: PaperRpc, wallet: Keypair, venue: type[Pool]) -> None:
    first = await _hop(paper, (venue, "USDC", "SOL"), BIG)
    moved = await _after(paper, wallet, first)
    back = _leg(moved, first.quote.token_out, first.quote.token_in, first.quote.amount_out)
    assert back.quote.amount_out < BIG
    await _lands_exactly(paper, wallet, [first, back])


@pytest.mark.parametrize("second", VENUES)
async def test_a_second_swap_that_fails_leaves_nothing_behind_but_the_fee(
    paper: PaperRpc, wallet: Keypair, second: type[Pool]
) -> None:
    me, usdc, sol = wallet.pubkey(), TOKENS_BY_SYMBOL["USDC"].mint, TOKENS_BY_SYMBOL["SOL"].mint
    first = await _hop(paper, (CPMM if second is not CPMM else DAMM, "JUP", "USDC"), 10**9)
    greedy = _leg(await paper.pool(second, usdc, sol), usdc, sol, first.quote.amount_out, more=1)
    transaction = await _transaction(paper, wallet, [first, greedy])
    others = [key for key in transaction.message.account_keys if key != me]
    before, lamports = await paper.accounts(others), await paper.lamports(me)
    status = await paper.land(transaction)
    last = len(transaction.message.instructions) - 1
    assert status["err"] == {"InstructionError": [last, {"Custom": second.SLIPPAGE_ERROR}]}
    assert await paper.accounts(others) == before
    assert lamports - await paper.lamports(me) == FEE


async def test_a_hop_cannot_spend_more_than_the_one_before_it_paid(paper: PaperRpc, wallet: Keypair) -> None:
    first = await _hop(paper, (CPMM, "JUP", "SOL"), 10**9)
    second = await _hop(paper, (CLMM, "SOL", "USDC"), first.quote.amount_out + 1)
    before = await _balances(paper, wallet.pubkey(), [first, second])
    transaction = await _transaction(paper, wallet, [first, second])
    status = await paper.land(transaction)
    assert status["err"] == {"InstructionError": [len(transaction.message.instructions) - 1, {"Custom": 1}]}
    assert await _balances(paper, wallet.pubkey(), [first, second]) == before


async def test_what_a_pool_cannot_pay_is_refused_before_it_is_sent(paper: PaperRpc) -> None:
    with pytest.raises(QuoteRefused):
        await _hop(paper, (CLMM, "USDC", "SOL"), 10**12)
