"""What the program answers to a swap it does not carry out.

The codes are those of the program as deployed in August 2025. The source renumbered its own (6000 on) in 2026; from
2500 on they are Anchor's.
"""

from typing import ClassVar

from order_engine.domain.errors import AmountTooSmall, QuoteRefused

TOO_LITTLE_OUTPUT_RECEIVED, TOO_MUCH_INPUT_PAID = 6022, 6023


class ProgramRefusal(QuoteRefused):
    """The program fails with `program_error`, or panics where that is None."""

    program_error: ClassVar[int | None]


class ProgramPanics(ProgramRefusal):
    program_error = None


class PartialFill(ProgramRefusal):
    """The price limit stopped the swap, and the caller had set none."""

    program_error = 2501


class AccountOfAnotherPool(ProgramRefusal):
    program_error = 2502


class NotOpenYet(ProgramRefusal):
    program_error = 2505


class PriceInconsistent(ProgramRefusal):
    """The price lies on the wrong side of a tick: before the swap, or after a step that overshot."""

    program_error = 2506


class SwapDisabled(ProgramRefusal):
    program_error = 6001


class TickOutOfRange(ProgramRefusal):
    program_error = 6009


class TickArrayEmpty(ProgramRefusal):
    """An array that the bitmap calls initialized holds no initialized tick."""

    program_error = 6011


class PriceLimitInvalid(ProgramRefusal):
    program_error = 6013


class PriceOutOfRange(ProgramRefusal):
    program_error = 6014


class LiquidityInsufficient(ProgramRefusal):
    """The pool ends before the amount does."""

    program_error = 6019


class AmountIsZero(AmountTooSmall, ProgramRefusal):
    program_error = 6024


class SwapTooSmall(AmountTooSmall, ProgramRefusal):
    """One side of the swap rounds to nothing."""

    program_error = 6026


class TickArrayMissing(ProgramRefusal):
    """The swap reaches an initialized array that is not among the accounts at hand."""

    program_error = 6027


class FirstTickArrayInvalid(ProgramRefusal):
    program_error = 6028


class BitmapExtensionMissing(ProgramRefusal):
    """Only the extension knows which arrays come next, and it is not among the accounts at hand."""

    program_error = 6040


class NoLiquidityThatWay(ProgramRefusal):
    """From the pool's tick on, no array is initialized in the swap's direction."""

    program_error = 6041


class TokenAmountOverflow(ProgramRefusal):
    program_error = 6042


class MathOverflow(ProgramRefusal):
    program_error = 6043


class TransferFeeMismatch(ProgramRefusal):
    """The transfer fee on the amount before the fee is not what was added to it."""

    program_error = 6044
