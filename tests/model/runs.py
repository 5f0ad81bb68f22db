"""The runs: what the rules must withstand, and what must be noticed when it is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from tests.model.config import UNLIMITED, Config

Profile = Literal["short", "full"]


@dataclass(frozen=True, slots=True)
class Run:
    config: Config
    holds: bool = True  # False: a violation or a run without end must be found
    checks_liveness: bool = True


_ONE = Config(name="", workers=1, takeovers=1, cancels=0)
_ONE_STILL = replace(_ONE, lagging=(), max_lag=1)
_TWO_STILL = Config(name="", takeovers=1, lagging=(), max_lag=1)
_TWO_URLS_LAG = replace(_ONE, lagging=(0, 1))
_EARLY = replace(_ONE, height="processed", use_margin=False, context=False, quorum="any")
_FIND_FIRST = replace(_ONE, mutant="find_first", use_margin=False, context=False)
_TWO_ORDERS = replace(_TWO_STILL, orders=2, limit=1, attempts=1, cancels=0)

SMALL: Final = (
    Run(replace(_ONE_STILL, name="1 worker, 2 attempts, a cancel", cancels=1)),
    Run(replace(_ONE, name="1 worker, 1 attempt, an endpoint lags", attempts=1, cancels=1)),
    Run(replace(_TWO_STILL, name="2 workers, 1 attempt, a cancel", attempts=1)),
    Run(replace(_TWO_ORDERS, name="2 orders, 1 slot, 1 worker", workers=1)),
    Run(replace(_ONE, name="2 attempts, dead by any answer with its own height", quorum="answered", own_height=True)),
)
BASE: Final = (
    Run(replace(_ONE, name="1 worker, 2 attempts, an endpoint lags", cancels=1)),
    Run(replace(_TWO_STILL, name="2 workers, 1 attempt, from SubmitOrder", attempts=1, max_lag=2, submit=True)),
    Run(replace(_TWO_STILL, name="2 workers, 5 takeovers", attempts=1, takeovers=5)),
    Run(replace(_ONE_STILL, name="1 worker, 3 attempts, 2 cancels", attempts=3, takeovers=2, cancels=2)),
    Run(replace(_ONE, name="1 worker, 2 attempts, both endpoints lag", lagging=(0, 1), cancels=1)),
    Run(replace(_ONE, name="finality 2, validity 2", attempts=1, finality=2, validity=2, max_lag=5, cancels=1)),
    Run(replace(_TWO_STILL, name="2 workers, cancels without end", attempts=1, cancels=UNLIMITED)),
    Run(replace(_TWO_ORDERS, name="2 orders, 1 slot, 1 worker, a cancel", workers=1, cancels=1)),
    Run(Config(name="2 workers, 1 attempt, an endpoint lags", attempts=1, takeovers=1)),
    Run(replace(_TWO_STILL, name="2 workers, SUBMITTED needs the lease too", attempts=1, fence=True)),
)
LARGE: Final = (
    Run(Config(name="1 worker, 3 attempts, an endpoint lags", workers=1, attempts=3, takeovers=1)),
    Run(Config(name="2 attempts, finality 2, validity 2", workers=1, finality=2, validity=2, max_lag=5, takeovers=1)),
    Run(replace(_TWO_ORDERS, name="2 orders, 1 slot, 2 workers, a cancel", cancels=1)),
    Run(replace(_TWO_STILL, name="2 workers, 2 attempts")),
    Run(replace(_TWO_STILL, name="3 workers, 1 attempt", workers=3, attempts=1)),
    Run(replace(_TWO_ORDERS, name="2 orders, 1 slot, 2 workers")),
    Run(Config(name="2 workers, 2 attempts, an endpoint lags", takeovers=1), checks_liveness=False),
)
MUTANTS: Final = tuple(
    Run(config, holds=False)
    for config in (
        replace(_EARLY, name="dead when one endpoint is past and knows nothing"),
        replace(_FIND_FIRST, name="find, then read the height"),
        replace(_TWO_STILL, name="append to a version read again", mutant="reread", cancels=0),
        replace(_TWO_STILL, name="the same without guards", mutant="reread", guards=False, cancels=0),
        replace(_ONE, name="believe a failure that is only processed", mutant="processed_failures"),
        replace(_ONE, name="a refused send has failed", mutant="refused_is_failed"),
        replace(_TWO_STILL, name="no lease", mutant="no_lease", faults=False, attempts=1, takeovers=2, cancels=0),
        replace(_ONE, name="a cancel is a flag", mutant="cancel_flag", attempts=1, cancels=1),
        replace(_ONE, name="a takeover of SUBMITTED signs, no guards", mutant="takeover_signs", guards=False),
        replace(_ONE, name="a takeover of SUBMITTED signs", mutant="takeover_signs"),
        replace(_TWO_ORDERS, name="slots counted before the start", mutant="limit_no_lock"),
        replace(_ONE, name="send, then record", mutant="send_first"),
        replace(_ONE, name="the signer's bytes, the caller's height", mutant="caller_lvbh", attempts=2),
        replace(_ONE_STILL, name="takeover hints need a slot", sweeper="slots_for_all", limit=1, attempts=1),
        replace(_ONE_STILL, name="the sweeper sleeps as long as it knows of nothing", sweeper="sleeps", attempts=1),
        replace(
            _ONE_STILL,
            name="TOO_LATE for an order that is CANCELLED",
            strict_too_late=True,
            verdict_again="too_late",
            attempts=1,
            cancels=2,
        ),
    )
)
_DOUBLE = (
    ("dead when one endpoint is past and knows nothing", _EARLY),
    ("find, then read the height", _FIND_FIRST),
    ("believe a failure that is only processed", replace(_ONE, mutant="processed_failures")),
    ("a refused send has failed", replace(_ONE, mutant="refused_is_failed")),
    ("a takeover of SUBMITTED signs, no guards", replace(_ONE, mutant="takeover_signs", guards=False)),
)
_GUARDED = replace(_TWO_STILL, mutant="reread", cancels=0)
DOUBLE: Final = (  # mutants driven on to what all this is about, buying twice; the last shows what the guards are for
    *(
        Run(replace(config, name=f"twice: {name}", only="TWO"), holds=False, checks_liveness=False)
        for name, config in _DOUBLE
    ),
    Run(replace(_GUARDED, name="never twice: append to a version read again", only="TWO"), checks_liveness=False),
)


def _variant(name: str, *, holds: bool = True, within: Config = _TWO_URLS_LAG, **changes: object) -> Run:
    return Run(replace(within, name=f"dead: {name}", **changes), holds=holds)  # type: ignore[arg-type]


VARIANTS: Final = (
    _variant("finalized + margin, all endpoints"),
    _variant("finalized, all endpoints", use_margin=False),
    _variant("finalized, all endpoints, replies of any age", use_margin=False, context=False),
    _variant("any one endpoint", quorum="any"),
    _variant("any one endpoint, replies of any age", quorum="any", context=False, holds=False),
    _variant("processed + margin", height="processed"),
    _variant("processed", height="processed", use_margin=False, holds=False),
    _variant("one balanced URL", one_url=True),
    _variant("one balanced URL, replies of any age", one_url=True, context=False, holds=False),
    _variant("one balanced URL, a minority fork", one_url=True, fork_context=True, holds=False),
    _variant("all endpoints, a minority fork", fork_context=True),
    _variant("any one endpoint, a minority fork", quorum="any", fork_context=True, holds=False),
    _variant("any answer, own height (the rule)", quorum="answered", own_height=True),
    _variant("the rule, a minority fork", quorum="answered", own_height=True, fork_context=True),
    _variant("the rule without margin", quorum="answered", own_height=True, fork_context=True, use_margin=False),
    _variant("all endpoints, one silent for ever", within=_ONE_STILL, silent_endpoint=True, holds=False),
    _variant(
        "the rule, one silent for ever", within=_ONE_STILL, silent_endpoint=True, quorum="answered", own_height=True
    ),
)
LIMITS: Final = (  # what is relied on, and what makes no difference
    Run(
        replace(_ONE_STILL, name="a confirmed fork drops", confirmed_may_drop=True, finality=2, max_lag=3), holds=False
    ),
    Run(
        replace(_ONE_STILL, name="no signing after CANCELLED", strict_signing=True, attempts=1, cancels=1), holds=False
    ),
    Run(replace(_ONE_STILL, name="the lease is kept over a retry", lease_on_retry="kept")),
    Run(
        replace(_ONE_STILL, name="a second cancel is an event", cancel_again="event", cancels=UNLIMITED, attempts=1),
        holds=False,
    ),
)

GROUPS: Final = {
    "small": SMALL,
    "mutants": MUTANTS,
    "base": BASE,
    "double": DOUBLE,
    "variants": VARIANTS,
    "limits": LIMITS,
    "large": LARGE,
}
PROFILES: Final[dict[Profile, tuple[str, ...]]] = {
    "short": ("small", "mutants"),
    "full": ("small", "mutants", "base", "double", "variants", "limits"),
}


def chosen(profile: Profile, names: list[str]) -> Iterator[tuple[str, Run]]:
    """Yield (group, run): of the profile, or those whose group or part of a name is asked for."""
    for group, runs in GROUPS.items():
        for run in runs:
            asked = group in names or any(name in run.config.name for name in names)
            if asked or (not names and group in PROFILES[profile]):
                yield group, run
