"""What one run of the model is about: its bounds, how it finds a transaction dead, and what is wrong in it."""

from dataclasses import dataclass
from typing import Final, Literal

Mutant = Literal[
    "",
    "reread",  # append to a version read again
    "processed_failures",  # believe a failure that is only processed
    "refused_is_failed",  # a refused send ends the attempt
    "no_lease",  # take over what is not lost
    "cancel_flag",  # a cancel sets a flag, without an event
    "takeover_signs",  # a takeover of SUBMITTED builds anew
    "limit_no_lock",  # the free slots are counted before the start's transaction
    "send_first",  # send, then record
    "find_first",  # look for the signature, then read the height
    "caller_lvbh",  # the signer's first bytes with the height of a later caller
]

UNLIMITED: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Times are in blocks. The chain's 150 blocks of validity and 32 of finality are 1 or 2 here."""

    name: str
    # bounds
    workers: int = 2
    orders: int = 1
    attempts: int = 2
    limit: int = 0  # of orders in flight, 0 = none
    takeovers: int = 5
    cancels: int = 1  # UNLIMITED is one
    validity: int = 1
    finality: int = 1
    margin: int = 1
    max_lag: int = 4  # how far an endpoint may fall behind
    lagging: tuple[int, ...] = (1,)  # endpoints that may fall behind
    faults: bool = True  # crashes, pauses beyond the lease, lost and spurious hints, lag; forks are dropped always
    submit: bool = False  # begin before SubmitOrder
    # how a transaction is found dead
    height: Literal["finalized", "processed"] = "finalized"  # processed may run ahead on a fork
    use_margin: bool = True
    context: bool = True  # replies older than the height do not count
    quorum: Literal["all", "any", "answered"] = "all"  # any: believe the one asked. answered: one null that counts
    own_height: bool = False  # a null counts only from an endpoint whose own finalized height is past
    silent_endpoint: bool = False  # the second endpoint never answers
    one_url: bool = False  # the endpoints are nodes behind one balanced URL
    fork_context: bool = False  # a node on a minority fork reports a slot as high as the tip's
    confirmed_may_drop: bool = False
    # the store
    guards: bool = True
    fence: bool = False  # refuse SUBMITTED from a worker that lost its lease
    # mutants and variants
    mutant: Mutant = ""
    strict_signing: bool = False  # count it as wrong to sign, unrecorded, after CANCELLED was acknowledged
    strict_too_late: bool = False  # count it as wrong to answer TOO_LATE for an order that a cancel ended
    cancel_again: Literal["idempotent", "event"] = "idempotent"
    verdict_again: Literal["cancelled", "too_late"] = "cancelled"  # for an order that is CANCELLED already
    sweeper: Literal["fixed", "slots_for_all", "sleeps"] = "fixed"  # slots_for_all: takeover hints need one as well
    lease_on_retry: Literal["cleared", "kept"] = "cleared"
    only: str = ""  # count only the violations that contain this
