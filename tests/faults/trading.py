"""The promises about amounts: what an order pays and gets, what each leg may do, what its guards bound."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Final, cast

from order_engine.adapters.postgres.shapes import LegJson, RouteJson
from order_engine.domain.order import RouteChosen
from order_engine.domain.route import SwapMode
from tests.faults.evidence import Evidence, Landing, StoredEvent, StoredOrder

BPS: Final = 10_000
GUARDS: Final = {  # by the reason that names it
    "PRICE_IMPACT_TOO_HIGH": "max_price_impact_bps",
    "TOTAL_FEE_TOO_HIGH": "max_total_fee_lamports",
    "QUOTE_TOO_OLD": "max_quote_age_slots",
}


def never_more_in_nor_less_out_than_promised(evidence: Evidence) -> Iterator[str]:
    for order, landing, route in _landed(evidence):
        paid, got = -landing.deltas.get(order.token_in, 0), landing.deltas.get(order.token_out, 0)
        if order.swap_mode == SwapMode.EXACT_IN and paid != order.amount_in:
            yield f"{order.order_id} paid {paid}, ordered were {order.amount_in}"
        if order.swap_mode == SwapMode.EXACT_OUT and got != order.amount_out:
            yield f"{order.order_id} got {got}, ordered were {order.amount_out}"
        if paid > route["max_amount_in"]:
            yield f"{order.order_id} paid {paid}, at most {route['max_amount_in']} were promised"
        if got < route["min_amount_out"]:
            yield f"{order.order_id} got {got}, promised were {route['min_amount_out']}"
        told = order.fill or {"amount_in": paid, "amount_out": got, "fee_lamports": landing.fee}
        if (told["amount_in"], told["amount_out"], told["fee_lamports"]) != (paid, got, landing.fee):
            yield f"{order.order_id} reports {dict(told)}, the chain says {paid} in, {got} out, {landing.fee} fee"


def every_leg_and_hop_is_bounded_as_the_order_is(evidence: Evidence) -> Iterator[str]:
    """A route's bounds are its order's, its legs' bounds add up to them, and no hop spends what none has bought."""
    for order_id, events in evidence.events.items():
        order = evidence.orders.get(order_id)
        for attempt, route in _routes(events).items():
            for breach in _breaches(order, route) if order is not None else ():
                yield f"{order_id}:{attempt} {breach}"


def what_is_left_on_the_way_stays_in_the_wallet(evidence: Evidence) -> Iterator[str]:
    for order, landing, route in _landed(evidence):
        on_the_way = {leg["token_out"] for leg in route["legs"]} - {order.token_in, order.token_out}
        for mint, left in landing.deltas.items():
            if mint in (order.token_in, order.token_out):
                continue
            if left < 0:
                yield f"{order.order_id} took {-left} of {mint} that were not bought on the way"
            if left > 0 and mint not in on_the_way:
                yield f"{order.order_id} left {left} of {mint}, which is not on its way"


def guards_hold_for_what_landed(evidence: Evidence) -> Iterator[str]:
    for order, landing, route in _landed(evidence):
        values = {
            "max_price_impact_bps": route["price_impact_bps"],
            "max_total_fee_lamports": max(landing.fee, route["network_fee_lamports"] + route["rent_lamports"]),
            "max_quote_age_slots": route["quote_age_slots"],
        }
        for guard, limit in order.guards.items():
            if values[guard] > limit:
                yield f"{order.order_id} landed with {guard} {values[guard]}, its limit is {limit}"


def a_broken_guard_is_named(evidence: Evidence) -> Iterator[str]:
    for order_id, events in evidence.events.items():
        order = evidence.orders.get(order_id)
        for event in events:
            failure = cast(Mapping[str, object], event.detail.get("failure") or {})
            guard = GUARDS.get(str(failure.get("reason")))
            if guard is None or order is None:
                continue
            named = cast(Mapping[str, str], failure.get("metadata") or {})
            limit = order.guards.get(guard)
            if named.get("guard") != guard or named.get("limit") != str(limit):
                yield f"{order_id} broke {guard} {limit} and reports {dict(named)}"
            elif limit is None or int(named.get("value", 0)) <= limit:
                yield f"{order_id} was refused for {guard} {limit}, which {dict(named)} does not break"


def succeeded(evidence: Evidence) -> Mapping[str, list[Landing]]:
    found: dict[str, list[Landing]] = defaultdict(list)
    for landing in evidence.chain.landings:
        if landing.succeeded and landing.order_id:
            found[landing.order_id].append(landing)
    return found


def whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not an amount")
    return value


def hops_of(route: RouteJson) -> list[list[LegJson]]:
    return [list(legs) for _, legs in groupby(route["legs"], key=lambda leg: (leg["token_in"], leg["token_out"]))]


def _landed(evidence: Evidence) -> Iterator[tuple[StoredOrder, Landing, RouteJson]]:
    for order_id, landings in succeeded(evidence).items():
        order = evidence.orders.get(order_id)
        routes = _routes(evidence.events.get(order_id, []))
        for landing in landings:
            if order is not None and landing.attempt in routes:
                yield order, landing, routes[landing.attempt]


def _routes(events: Sequence[StoredEvent]) -> Mapping[int, RouteJson]:
    """By attempt."""
    return {
        event.attempt: cast(RouteJson, event.detail["route"]) for event in events if event.kind == RouteChosen.__name__
    }


def _breaches(order: StoredOrder, route: RouteJson) -> Iterator[str]:
    hops = hops_of(route)
    way = [hop[0]["token_in"] for hop in hops] + [hops[-1][-1]["token_out"]]
    if way[0] != order.token_in or way[-1] != order.token_out or len(set(way)) < len(way):
        yield f"goes {' > '.join(way)}"
    if any(before[-1]["token_out"] != after[0]["token_in"] for before, after in pairwise(hops)):
        yield "has hops that do not follow each other"
    if len({leg["pool"] for leg in route["legs"]}) < len(route["legs"]):
        yield "uses a pool twice"
    for number, (least, most) in enumerate((_sum(hop, "min_amount_out"), _sum(hop, "max_amount_in")) for hop in hops):
        pays = _sum(hops[number - 1], "min_amount_out") if number else route["max_amount_in"]
        if most != pays:
            yield f"spends up to {most} in hop {number + 1}, {pays} are there for certain"
        if number + 1 == len(hops) and least != route["min_amount_out"]:
            yield f"asks {least} of its last hop, {route['min_amount_out']} are promised"
    yield from _bounds(order, route)


def _bounds(order: StoredOrder, route: RouteJson) -> Iterator[str]:
    slippage = order.slippage_bps
    if order.swap_mode == SwapMode.EXACT_IN:
        least = max(1, route["amount_out"] * (BPS - slippage) // BPS)
        wanted = (order.amount_in, order.amount_in, least)
    else:
        most = -(-route["amount_in"] * (BPS + slippage) // BPS)
        wanted = (route["amount_in"], most, order.amount_out)
    bounds = (route["amount_in"], route["max_amount_in"], route["min_amount_out"])
    if bounds != wanted:
        yield f"pays {bounds[0]} to {bounds[1]} for at least {bounds[2]}, its order says {wanted}"


def _sum(hop: Sequence[LegJson], bound: str) -> int:
    return sum(whole(cast(Mapping[str, object], leg)[bound]) for leg in hop)
