"""Methods of the paper network alone: faults, failures and time, changed while it runs. Faults spare them."""

from typing import Final

from order_engine.papernet.faults import FaultPlan, InvalidFaultPlan
from order_engine.papernet.rpc.errors import invalid_params
from order_engine.papernet.rpc.params import Params
from order_engine.papernet.rpc.view import Node

PREFIX: Final = "paper"
_MAX_ADVANCE: Final = 1_000
_ALL: Final = 2**31


def set_faults(node: Node, params: Params) -> object:
    """Replace the fault plan: paperSetFaults["drop=0.5,lag=8"]."""
    try:
        node.network.faults.plan = FaultPlan.parse(params.string(0, "fault plan"))
    except InvalidFaultPlan as error:
        raise invalid_params(str(error)) from error
    return state(node, params)


def set_failure_rate(node: Node, params: Params) -> object:
    """Replace the share of transactions that fail on chain: paperSetFailureRate[0.05]."""
    rate = params.number(0, "failure rate")
    if not 0 <= rate <= 1:
        raise invalid_params("failure rate must be from 0 to 1")
    node.network.faults.failure_rate = rate
    return state(node, params)


def advance(node: Node, params: Params) -> object:
    """Let slots go by at once, everything in them as usual: paperAdvance[150]. Returns the new height."""
    slots = params.uint(0, "slots")
    if slots > _MAX_ADVANCE:
        raise invalid_params(f"at most {_MAX_ADVANCE} slots at once")
    for _ in range(slots):
        node.network.step()
        node.network.land_due(_ALL)
    node.network.skipped_slots += slots
    return node.network.head


def state(node: Node, params: Params) -> object:
    network = node.network
    return {
        "height": network.head,
        "landed": network.landed.count,
        "pending": len(network.deliveries),
        "failureRate": network.faults.failure_rate,
        "faults": network.faults.plan.as_items(),
        "faucet": str(network.faucet.pubkey()),
    }
