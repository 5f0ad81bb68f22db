"""When a transaction has landed, when it is dead, and when nobody can know yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

DEAD_MARGIN_BLOCKS: Final = 32  # beyond last_valid_block_height, at finalized
CANCEL_DECIDED_AFTER: Final = DEAD_MARGIN_BLOCKS + 1  # a cancel of a sent transaction is decided at this height at last


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """A transaction seen at `confirmed` or higher. We rely on `confirmed` never being rolled back."""

    slot: int
    error: str | None  # the chain's own error, None when it succeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one endpoint says about one signature. The height was read before looking for the signature."""

    endpoint: str
    finalized_block_height: int
    finalized_slot: int  # of the same reply as the height
    context_slot: int  # of the reply about the signature, which searched the whole history
    landed: Landed | None


def verdict(sightings: Sequence[Sighting], last_valid_block_height: int) -> Landed | Literal["dead", "unknown"]:
    """Return what is certain. `sightings` holds one entry for each endpoint that answered; all must have been asked.

    A null counts only from an endpoint whose own finalized height is past the margin, and whose reply is not older
    than that height. Unknown is never guessed: the caller keeps looking.
    """
    for sighting in sightings:
        if sighting.landed is not None:
            return sighting.landed
    if any(_null_counts(sighting, last_valid_block_height) for sighting in sightings):
        return "dead"
    return "unknown"


def _null_counts(sighting: Sighting, last_valid_block_height: int) -> bool:
    past = sighting.finalized_block_height > last_valid_block_height + DEAD_MARGIN_BLOCKS
    return past and sighting.context_slot >= sighting.finalized_slot
