"""How facts and what they hold look as JSON."""

from typing import NotRequired, TypedDict


class GuardsJson(TypedDict, total=False):
    """Only those that were asked for."""

    max_price_impact_bps: int
    max_total_fee_lamports: int
    max_quote_age_slots: int


class LegJson(TypedDict):
    """What may be missing is what older orders have none of."""

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
    min_amount_out: NotRequired[int]
    max_amount_in: NotRequired[int]
    price_impact_bps: NotRequired[int]


class RouteJson(TypedDict):
    legs: list[LegJson]
    amount_in: int
    amount_out: int
    min_amount_out: int
    price_impact_bps: int
    slot: int
    swap_mode: NotRequired[str]
    max_amount_in: NotRequired[int]
    quote_age_slots: NotRequired[int]
    network_fee_lamports: NotRequired[int]
    rent_lamports: NotRequired[int]


class CandidateJson(TypedDict):
    venue: str
    pool: str | None
    route: RouteJson | None
    net_amount_out: int
    net_amount_in: NotRequired[int]
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
