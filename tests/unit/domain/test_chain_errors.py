"""What a chain error means: a slipped price may go better next time, an empty wallet will not."""

import pytest

from order_engine.domain.chain_errors import attempt_error, failed_instruction


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        ('{"InstructionError":[6,{"Custom":6005}]}', "SLIPPAGE_EXCEEDED", True),
        ('{"InstructionError":[6,{"Custom":1}]}', "INSUFFICIENT_FUNDS", False),
        ('"InsufficientFundsForFee"', "INSUFFICIENT_FUNDS", False),
        ('{"InsufficientFundsForRent":{"account_index":0}}', "INSUFFICIENT_FUNDS", False),
        ('{"InstructionError":[6,{"Custom":6006}]}', "TRANSACTION_FAILED", True),
        ('{"InstructionError":[2,"InvalidAccountData"]}', "TRANSACTION_FAILED", True),
        ("not json", "TRANSACTION_FAILED", True),
    ],
)
def test_chain_errors_get_a_stable_reason(error: str, code: str, retryable: bool) -> None:
    translated = attempt_error(error, {6005}, {"venue": "raydium_cpmm"})
    assert (translated.code, translated.retryable) == (code, retryable)
    assert translated.metadata == {"venue": "raydium_cpmm", "chain_error": error}


@pytest.mark.parametrize(
    ("error", "place"),
    [
        ('{"InstructionError":[4,{"Custom":6005}]}', 4),
        ('{"InstructionError":[0,"ComputationalBudgetExceeded"]}', 0),
        ('"BlockhashNotFound"', None),
        ("not json", None),
        ('{"InstructionError":["x",1]}', None),
    ],
)
def test_the_failed_instruction_is_named_where_there_is_one(error: str, place: int | None) -> None:
    assert failed_instruction(error) == place
