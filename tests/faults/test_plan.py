"""A seed is a plan, and the short profile leaves nothing out."""

from tests.faults.__main__ import PROFILES
from tests.faults.clients import Wish
from tests.faults.plan import API_STEPS, PAUSES, WORKER_STEPS, fault_names, make_plan


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
