"""What every venue's recorded exact outputs must show, whatever the venue."""

import pytest

from order_engine.papernet.programs import ProgramError
from order_engine.papernet.replay_case import ReplayCase
from order_engine.papernet.token_ledger import TokenLedger
from order_engine.papernet.vector_file import Vector


def check_cost(case: ReplayCase, vector: Vector, *, excess_input_error: int) -> None:
    """The quote is the recorded cost; the program takes exactly that, and refuses one unit less."""
    expected = vector.expected
    pool = case._pool()
    quote = case._quote(pool)
    assert (quote.amount_in, quote.amount_out) == (expected.amount_in, expected.amount_out)
    ledger = TokenLedger(dict(case.accounts), case.dump.clock.epoch)
    case._execute(pool.exact_out_instruction(quote, quote.amount_in, case.trader), ledger)
    found = dict(case._outcome(ledger))
    assert {name: found[name] for name, _ in case._wanted()} == dict(case._wanted())
    untouched = TokenLedger(dict(case.accounts), case.dump.clock.epoch)
    with pytest.raises(ProgramError) as refusal:
        case._execute(pool.exact_out_instruction(quote, quote.amount_in - 1, case.trader), untouched)
    assert refusal.value.code == excess_input_error
