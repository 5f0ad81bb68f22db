"""What an error of the chain means for an attempt."""

import json
from collections.abc import Collection, Mapping

from order_engine.domain.errors import AttemptError, InsufficientFunds, SlippageExceeded, TransactionFailed

# The token programs' InsufficientFunds and the system program's ResultWithNegativeLamports share this code.
_INSUFFICIENT_FUNDS_CODE = 1
_NO_FUNDS_ERRORS = frozenset({"InsufficientFundsForFee", "InsufficientFundsForRent", "AccountNotFound"})


def attempt_error(error: str, slippage_codes: Collection[int], metadata: Mapping[str, str]) -> AttemptError:
    """Translate an error, JSON as the RPC reports it, e.g. {"InstructionError": [6, {"Custom": 6005}]}.

    `slippage_codes` are what the failed venue program calls a bound that does not hold.
    """
    described = {**metadata, "chain_error": error}
    code = _custom_code(error)
    if code in slippage_codes:
        return SlippageExceeded(f"a pool pays less or takes more than the order allows: {error}", **described)
    if code == _INSUFFICIENT_FUNDS_CODE or any(name in error for name in _NO_FUNDS_ERRORS):
        return InsufficientFunds(f"the wallet does not hold what the transaction needs: {error}", **described)
    return TransactionFailed(f"the chain refused the transaction: {error}", **described)


def failed_instruction(error: str) -> int | None:
    """Return the place of the instruction that failed, None when the transaction as a whole was refused."""
    match _parsed(error):
        case {"InstructionError": [int(place), _]}:
            return place
        case _:
            return None


def _custom_code(error: str) -> int | None:
    match _parsed(error):
        case {"InstructionError": [int(), {"Custom": int(code)}]}:
            return code
        case _:
            return None


def _parsed(error: str) -> object:
    try:
        parsed: object = json.loads(error)
    except ValueError:
        return None
    return parsed
