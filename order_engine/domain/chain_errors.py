"""What an error of the chain means for an attempt."""

import json
from collections.abc import Mapping

from order_engine.domain.errors import AttemptError, InsufficientFunds, SlippageExceeded, TransactionFailed

# The token programs' InsufficientFunds and the system program's ResultWithNegativeLamports share this code.
_INSUFFICIENT_FUNDS_CODE = 1
_NO_FUNDS_ERRORS = frozenset({"InsufficientFundsForFee", "InsufficientFundsForRent", "AccountNotFound"})


def attempt_error(error: str, slippage_code: int, metadata: Mapping[str, str]) -> AttemptError:
    """Translate an error, JSON as the RPC reports it, e.g. {"InstructionError": [6, {"Custom": 6005}]}.

    `slippage_code` is the venue program's own code for "less than min_amount_out".
    """
    described = {**metadata, "chain_error": error}
    code = _custom_code(error)
    if code == slippage_code:
        return SlippageExceeded(f"the pool would have paid less than min_amount_out: {error}", **described)
    if code == _INSUFFICIENT_FUNDS_CODE or any(name in error for name in _NO_FUNDS_ERRORS):
        return InsufficientFunds(f"the wallet does not hold what the transaction needs: {error}", **described)
    return TransactionFailed(f"the chain refused the transaction: {error}", **described)


def _custom_code(error: str) -> int | None:
    try:
        value = json.loads(error)
    except ValueError:
        return None
    match value:
        case {"InstructionError": [int(), {"Custom": int(code)}]}:
            return code
        case _:
            return None
