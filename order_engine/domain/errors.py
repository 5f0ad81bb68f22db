"""Every failure the engine names, with what the caller may do about it.

* EngineError
  - InvalidOrder             the caller must change the request; names each bad field
  - OrderNotFound            no such order, or someone else's
  - TokenNotFound            neither the token list nor the chain knows it
  - RequestIdReused          the same request_id, another order
  - SequenceOutOfRange       a cursor beyond the last event
  - IllegalTransition        a bug, or a duplicate delivery
  - StaleOrder               lost a race: reload and decide again
  - Unavailable              a dependency is down, or the process is draining: retry later
    + ChainUnavailable       no Solana endpoint gave a usable answer
  - AttemptError             ends an attempt; `code` becomes the failure's reason
    + QuoteRefused           one pool cannot fill the order; never ends an attempt by itself
    + NoRoute  AmountTooSmall  UnknownMint  InsufficientFunds  SlippageExceeded
    + TransactionFailed  TransactionExpired  WorkerLost  ChainSilent
    + GuardRefused: PriceImpactTooHigh  TotalFeeTooHigh  QuoteTooOld
  - PoolUnreadable           an account is not what its program writes: the pool is left out
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar


class EngineError(Exception):
    """Base class. `code` is stable and public; the message is for humans."""

    code: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = metadata


class InvalidOrder(EngineError):
    """Carries one (field, description) pair for each field that is wrong."""

    code = "INVALID_ARGUMENT"

    def __init__(self, violations: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {description}" for field, description in violations))
        self.violations = tuple(violations)


class OrderNotFound(EngineError):
    code = "ORDER_NOT_FOUND"


class TokenNotFound(EngineError):
    code = "TOKEN_NOT_FOUND"


class RequestIdReused(EngineError):
    code = "REQUEST_ID_REUSED"


class SequenceOutOfRange(EngineError):
    code = "SEQUENCE_OUT_OF_RANGE"


class IllegalTransition(EngineError):
    code = "ILLEGAL_TRANSITION"


class StaleOrder(EngineError):
    code = "STALE_ORDER"
    retryable = True


class Unavailable(EngineError):
    code = "UNAVAILABLE"
    retryable = True


class ChainUnavailable(Unavailable):
    code = "CHAIN_UNAVAILABLE"


class AttemptError(EngineError):
    """Ends an attempt. `retryable` says whether another attempt can go better."""


class QuoteRefused(AttemptError):
    """A pool's program would refuse this swap; the message says why."""

    code = "QUOTE_REFUSED"


class NoRoute(AttemptError):
    code = "NO_ROUTE"
    retryable = True


class AmountTooSmall(QuoteRefused):
    code = "AMOUNT_TOO_SMALL"


class UnknownMint(AttemptError):
    code = "TOKEN_NOT_FOUND"


class InsufficientFunds(AttemptError):
    code = "INSUFFICIENT_FUNDS"


class SlippageExceeded(AttemptError):
    code = "SLIPPAGE_EXCEEDED"
    retryable = True


class GuardRefused(AttemptError):
    """A bound that the order itself set is exceeded: metadata names the guard, its limit and the value."""

    retryable = True


class PriceImpactTooHigh(GuardRefused):
    code = "PRICE_IMPACT_TOO_HIGH"


class TotalFeeTooHigh(GuardRefused):
    code = "TOTAL_FEE_TOO_HIGH"


class QuoteTooOld(GuardRefused):
    code = "QUOTE_TOO_OLD"


class TransactionFailed(AttemptError):
    code = "TRANSACTION_FAILED"
    retryable = True


class TransactionExpired(AttemptError):
    code = "TRANSACTION_EXPIRED"
    retryable = True


class WorkerLost(AttemptError):
    code = "WORKER_LOST"


class ChainSilent(AttemptError):
    """The chain stayed unreachable for as long as an attempt waits for it."""

    code = "CHAIN_UNAVAILABLE"
    retryable = True


class PoolUnreadable(EngineError):
    code = "POOL_UNREADABLE"
