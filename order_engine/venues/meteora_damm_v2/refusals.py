"""The program's own refusals, with the custom error code it returns."""

from typing import ClassVar

from order_engine.domain.errors import AmountTooSmall, QuoteRefused


class ProgramRefusal(QuoteRefused):
    """The program fails with `program_error`. Every subclass sets it."""

    program_error: ClassVar[int]


class MathOverflow(ProgramRefusal):
    """An amount leaves u64 or u128, or something is divided by nothing."""

    program_error = 6000


class SlippageRefused(ProgramRefusal):
    program_error = 6002


class PoolClosed(ProgramRefusal):
    """The pool is switched off, or its activation lies ahead."""

    program_error = 6003


class AmountIsZero(AmountTooSmall, ProgramRefusal):
    program_error = 6006


class PriceRangeViolation(ProgramRefusal):
    """The swap would push the price past a bound of the pool."""

    program_error = 6015
