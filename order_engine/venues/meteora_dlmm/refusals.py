"""The program's own refusals, with the custom error code it returns."""

from typing import ClassVar

from order_engine.domain.errors import AmountTooSmall, QuoteRefused


class ProgramRefusal(QuoteRefused):
    """The program fails with `program_error`. Every subclass sets it."""

    program_error: ClassVar[int]


class AmountIsZero(AmountTooSmall, ProgramRefusal):
    program_error = 6002


class SlippageRefused(ProgramRefusal):
    program_error = 6003


class MathOverflow(ProgramRefusal):
    """An amount leaves u64, or a price leaves u128."""

    program_error = 6018


class LiquidityExhausted(ProgramRefusal):
    """No bin is left in this direction, and the pool has no bitmap extension that could name one."""

    program_error = 6036


class ExtensionExhausted(ProgramRefusal):
    """No bin is left in this direction, in the bitmap extension neither."""

    program_error = 6037


class PaysNothing(AmountTooSmall, ProgramRefusal):
    """The trader would receive nothing, or asked for nothing."""

    program_error = 6039


class PoolDisabled(ProgramRefusal):
    """The pool is switched off, or its activation lies ahead."""

    program_error = 6042


class OutputUndetermined(ProgramRefusal):
    """An exact output that ends inside a bin's limit orders, whose roundings make it come out short."""

    program_error = 6085


class MissingBinArray(ProgramRefusal):
    """The swap walks into a bin array that the pool flags but that was not given: Anchor's AccountNotEnoughKeys."""

    program_error = 3005


class LimitOrdersUnknown(ProgramRefusal):
    """A mining pool's bin holds what reads as limit orders, and how the program takes that is not known."""

    program_error = 6085
