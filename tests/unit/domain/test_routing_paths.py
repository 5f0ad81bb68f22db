"""Which tokens a swap may pass through."""

from solders.pubkey import Pubkey

from order_engine.domain.routing.paths import pairs_of, paths

A, B, X, Y, Z = (Pubkey([number] * 32) for number in range(1, 6))


def test_the_direct_way_comes_first_and_no_token_comes_twice() -> None:
    found = paths(A, B, [X, Y, X, A, B], 3)
    assert found == ((A, B), (A, X, B), (A, Y, B), (A, X, Y, B), (A, Y, X, B))


def test_fewer_hops_leave_the_longer_chains_out() -> None:
    assert paths(A, B, [X, Y], 1) == ((A, B),)
    assert max(map(len, paths(A, B, [X, Y, Z], 2))) == 3
    assert paths(A, B, [X, Y], 0) == ()


def test_more_hops_than_a_route_may_have_are_not_taken() -> None:
    assert max(map(len, paths(A, B, [X, Y, Z], 9))) == 4


def test_there_is_no_way_from_a_token_to_itself() -> None:
    assert paths(A, A, [X], 3) == ()
    assert pairs_of(A, A, [X], 3) == frozenset()


def test_the_market_is_asked_for_each_pair_of_every_path_once() -> None:
    pairs = {frozenset(pair) for pair in ((A, B), (A, X), (X, B), (A, Y), (Y, B), (X, Y))}
    assert pairs_of(A, B, [X, Y], 3) == pairs
    assert pairs_of(A, B, [X, Y], 2) == pairs - {frozenset((X, Y))}
