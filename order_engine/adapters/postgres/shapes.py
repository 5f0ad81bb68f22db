"""How facts and what they hold look as JSON."""

from typing import NotRequired, TypedDict


class LegJson(TypedDict):
    venue: str
    pool: str
    token_in: str
    token_out: str
    amount_in: int
    amount_out: int
    fee_amount: int
    fee_token: str
    share_bps: int
    compute_units: NotRequired[int]


class RouteJson(TypedDict):
    legs: list[LegJson]
    amount_in: int
    amount_out: int
    min_amount_out: int
    price_impact_bps: int
    slot: int


class CandidateJson(TypedDict):
    venue: str
    pool: str | None
    route: RouteJson | None
    net_amount_out: int
    reject_reason: str
    chosen: bool


class FillJson(TypedDict):
    signature: str
    slot: int
    amount_in: int
    amount_out: int
    fee_lamports: int


class FailureJson(TypedDict):
    reason: str
    message: str
    metadata: dict[str, str]


class TransactionJson(TypedDict):
    signature: str
    outcome: str
    slot: int | None
    error: str | None
    fee_lamports: int


class FactJson(TypedDict, total=False):
    """What any fact may hold; which of it is there depends on the kind."""

    route: RouteJson
    candidates: list[CandidateJson]
    signature: str
    last_valid_block_height: int
    fill: FillJson
    failure: FailureJson
    retry_after_us: int
    transaction: TransactionJson | None
    decided_by_block_height: int
