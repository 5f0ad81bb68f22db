"""A seed is a plan, and the short profile leaves nothing out."""

from tests.faults.__main__ import PROFILES
from tests.faults.plan import API_STEPS, PAUSES, WORKER_STEPS, fault_names, make_plan
from tests.faults.wish import DOLLAR, NARROW_GUARDS, WIDE_GUARDS, Wish


def test_the_same_seed_is_the_same_plan_and_the_same_orders() -> None:
    assert make_plan(7, 100, 2) == make_plan(7, 100, 2)
    assert make_plan(7, 100, 2) != make_plan(8, 100, 2)
    assert Wish.numbered(7, 3) == Wish.numbered(7, 3)
    assert Wish.numbered(7, 3) != Wish.numbered(8, 3)


def test_the_short_profile_makes_every_fault_happen_and_leads_to_every_step() -> None:
    profile = PROFILES["short"]
    for seed in range(20):
        plan = make_plan(seed, profile.storm_seconds, profile.pace)
        assert {fault.name for fault in plan.faults} == fault_names()
        steps = {point.rpartition(":")[0] for points in plan.steps.values() for point in points}
        assert steps >= {f"{step}:kill" for step in (*WORKER_STEPS, *API_STEPS)} | {f"{step}:stop" for step in PAUSES}


def test_a_plan_can_be_narrowed() -> None:
    plan = make_plan(7, 60, 2, only="^kill worker", steps="chain.send")
    assert {fault.kind for fault in plan.faults} == {"kill"}
    assert all("chain.send" in point for points in plan.steps.values() for point in points)


def test_the_orders_of_a_short_run_are_of_every_kind() -> None:
    wishes = [Wish.numbered(7, number) for number in range(200)]
    assert {token for wish in wishes for token in (wish.token_in, wish.token_out)} == set(DOLLAR)
    assert {wish.classic for wish in wishes} == {wish.exact_out for wish in wishes} == {True, False}
    assert not any(wish.classic and (wish.exact_out or wish.guards) for wish in wishes)
    asked = [wish.guards for wish in wishes]
    assert all(guards in asked for guards in (*WIDE_GUARDS, *NARROW_GUARDS, {}))
