"""The candidate that leaves the most in the wallet wins, and every worker picks the same one."""

from solders.pubkey import Pubkey

from order_engine.domain.order import Candidate
from order_engine.domain.pool import Quote
from order_engine.domain.routing import candidate, rank
from order_engine.domain.tokens import WRAPPED_SOL

TOKEN, OTHER = Pubkey([9] * 32), Pubkey([8] * 32)
FEE = 7_000


def quote(amount_out: int, *, pool: int = 1, token_in: Pubkey = TOKEN, token_out: Pubkey = OTHER) -> Quote:
    return Quote(
        venue="v",
        pool=Pubkey([pool] * 32),
        slot=3,
        token_in=token_in,
        token_out=token_out,
        amount_in=1_000_000,
        amount_out=amount_out,
        fee_amount=25,
        fee_token=token_in,
        price_impact_bps=4,
    )


def test_the_better_net_output_is_chosen_and_rejected_ones_come_last() -> None:
    rejected = Candidate(venue="v", pool=None, reject_reason="VENUE_UNAVAILABLE: slow")
    ranked = rank([rejected, candidate(quote(900), 60_000, 50, FEE), candidate(quote(901, pool=2), 60_000, 50, FEE)])
    assert [one.net_amount_out for one in ranked] == [901, 900, 0]
    assert [one.chosen for one in ranked] == [True, False, False]


def test_a_tie_goes_to_the_lower_address_whatever_the_order_of_arrival() -> None:
    one, two = candidate(quote(900, pool=1), 60_000, 50, FEE), candidate(quote(900, pool=2), 60_000, 50, FEE)
    assert rank([one, two]) == rank([two, one])
    assert rank([two, one])[0].pool == Pubkey([1] * 32)


def test_nothing_usable_chooses_nothing() -> None:
    ranked = rank([Candidate(venue="v", pool=None, reject_reason="VENUE_UNAVAILABLE: slow")])
    assert not any(one.chosen for one in ranked)
    assert rank([]) == ()


def test_the_network_fee_is_subtracted_at_the_pools_own_price() -> None:
    sold = candidate(quote(50_000_000, token_in=WRAPPED_SOL), 60_000, 50, FEE)
    assert sold.net_amount_out == 50_000_000 - 7_000 * 50
    bought = candidate(quote(50_000, token_out=WRAPPED_SOL), 60_000, 50, FEE)
    assert bought.net_amount_out == 50_000 - FEE
    assert candidate(quote(100, token_out=WRAPPED_SOL), 60_000, 50, FEE).net_amount_out == 0


def test_min_amount_out_rounds_down_but_never_to_nothing() -> None:
    exact = candidate(quote(999), 60_000, 50, FEE).route
    assert exact is not None
    assert exact.min_amount_out == 994
    tiny = candidate(quote(1), 60_000, 5_000, FEE).route
    assert tiny is not None
    assert tiny.min_amount_out == 1
