"""Quotes over real gRPC: what is asked for arrives whole, and every candidate comes back."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import grpc
import pytest
from solders.pubkey import Pubkey

from order_engine.domain.errors import ChainUnavailable
from order_engine.domain.route import Candidate, Guards, Route, RouteLeg, SwapMode, SwapTerms
from order_engine.domain.tokens import TOKENS_BY_SYMBOL
from protos.order_engine.v1 import order_service_pb2 as pb
from tests.integration.grpc_harness import refusal, running

SOL, USDC, JUP = (TOKENS_BY_SYMBOL[symbol].mint for symbol in ("SOL", "USDC", "JUP"))
POOLS = tuple(Pubkey.new_unique() for _ in range(3))


def leg(venue: str, pool: Pubkey, token_in: Pubkey, token_out: Pubkey, share_bps: int = 10_000) -> RouteLeg:
    return RouteLeg(
        venue=venue,
        pool=pool,
        token_in=token_in,
        token_out=token_out,
        amount_in=10,
        amount_out=20,
        fee_amount=1,
        fee_token=token_in,
        share_bps=share_bps,
        min_amount_out=19,
        max_amount_in=10,
    )


TWO_HOPS = Route(
    legs=(
        leg("raydium_cpmm", POOLS[0], SOL, USDC, 6_200),
        leg("meteora_dlmm", POOLS[1], SOL, USDC, 3_800),
        leg("raydium_clmm", POOLS[2], USDC, JUP),
    ),
    amount_in=20,
    max_amount_in=20,
    amount_out=20,
    min_amount_out=19,
    price_impact_bps=3,
    slot=5,
    quote_age_slots=7,
    network_fee_lamports=7_000,
    rent_lamports=2_039_280,
)
CHOSEN = Candidate(venue="raydium_cpmm+meteora_dlmm>raydium_clmm", pool=None, route=TWO_HOPS, net_amount_out=18)
REFUSED = Candidate(venue="raydium_amm_v4", pool=POOLS[0], reject_reason="QUOTE_REFUSED: the pool is paused")


@dataclass
class Quoting:
    """Stands in for the use case: keeps what it was asked, and answers what it was given."""

    candidates: tuple[Candidate, ...] = ()
    default_slippage_bps: int = 50
    slot: int = 0
    asked: list[SwapTerms] = field(default_factory=list)

    async def __call__(self, swap: SwapTerms) -> SimpleNamespace:
        self.asked.append(swap)
        route = next((one.route for one in self.candidates if one.chosen), None)
        return SimpleNamespace(candidates=self.candidates, route=route, slot=self.slot)


def answering(quoting: object):
    return running(services=lambda services: replace(services, get_quote=quoting))


async def test_what_is_asked_for_reaches_the_use_case_whole():
    async with answering(quoting := Quoting()) as api:
        await api.quotes.GetQuote(
            pb.GetQuoteRequest(
                token_in="SOL",
                token_out=str(JUP),
                swap_mode=pb.SWAP_MODE_EXACT_OUT,
                amount_out=2**64 - 1,
                slippage_bps=0,
                max_price_impact_bps=0,
                max_total_fee_lamports=2**64 - 1,
                max_quote_age_slots=2**32 - 1,
            )
        )
        await api.quotes.GetQuote(pb.GetQuoteRequest(token_in="SOL", token_out="JUP", amount_in=1))
    exact_out, exact_in = quoting.asked
    assert exact_out == SwapTerms(
        token_in=SOL,
        token_out=JUP,
        swap_mode=SwapMode.EXACT_OUT,
        amount=2**64 - 1,
        slippage_bps=0,
        guards=Guards(max_price_impact_bps=0, max_total_fee_lamports=2**64 - 1, max_quote_age_slots=2**32 - 1),
    )
    assert exact_in == SwapTerms(token_in=SOL, token_out=JUP, amount=1, slippage_bps=50)


async def test_every_candidate_comes_back_with_all_its_legs_and_the_slot():
    candidates = (replace(CHOSEN, chosen=True), REFUSED)
    async with answering(Quoting(candidates=candidates, slot=12)) as api:
        reply = await api.quotes.GetQuote(pb.GetQuoteRequest(token_in="SOL", token_out="JUP", amount_in=20))
    assert reply.slot == 12
    assert reply.route == reply.candidates[0].route
    assert [(one.venue, one.share_bps, one.token_out) for one in reply.route.legs] == [
        ("raydium_cpmm", 6_200, str(USDC)),
        ("meteora_dlmm", 3_800, str(USDC)),
        ("raydium_clmm", 10_000, str(JUP)),
    ]
    assert (reply.route.quote_age_slots, reply.route.network_fee_lamports, reply.route.rent_lamports) == (
        7,
        7_000,
        2_039_280,
    )
    assert (reply.candidates[1].reject_reason, reply.candidates[1].chosen) == (REFUSED.reject_reason, False)


async def test_without_a_route_the_answer_is_ok_and_says_why():
    async with answering(Quoting(candidates=(REFUSED,))) as api:
        reply = await api.quotes.GetQuote(pb.GetQuoteRequest(token_in="SOL", token_out="JUP", amount_in=20))
    assert not reply.HasField("route")
    assert [one.reject_reason for one in reply.candidates] == [REFUSED.reject_reason]


@pytest.mark.parametrize("mode", [{"amount_in": 1}, {"swap_mode": pb.SWAP_MODE_EXACT_OUT, "amount_out": 1}])
async def test_a_chain_that_cannot_be_read_is_unavailable(mode):
    async with running() as api:

        async def away(_):
            raise ChainUnavailable("no endpoint answers")

        api.chain.accounts = away
        refused = await refusal(api.quotes.GetQuote(pb.GetQuoteRequest(token_in="SOL", token_out="JUP", **mode)))
    assert refused.code is grpc.StatusCode.UNAVAILABLE
