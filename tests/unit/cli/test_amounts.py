"""Amounts and slippage between text and integers, exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order_engine.cli.amounts import (
    U64_MAX,
    BadAmount,
    basis_points,
    fee_lamports,
    from_base_units,
    from_tokens,
    in_tokens,
    percent,
    percent_apart,
    trimmed,
)


@given(units=st.integers(0, U64_MAX), decimals=st.integers(0, 18))
def test_what_is_shown_reads_back_as_the_same_amount(units: int, decimals: int) -> None:
    shown = in_tokens(units, decimals)
    assert from_tokens(shown, decimals, "X") == units
    assert from_tokens(trimmed(shown), decimals, "X") == units


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("1.5", 1_500_000_000),
        ("0.000000001", 1),
        (".5", 500_000_000),
        ("1.", 10**9),
        ("18446744073.709551615", U64_MAX),
    ],
)
def test_whole_tokens_are_read_exactly(text: str, units: int) -> None:
    assert from_tokens(text, 9, "SOL") == units


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "-1",
        "+1",
        "1e3",
        "1,5",
        "1_000",
        "NaN",
        "inf",
        "١",
        "0x10",
        "1.0000000001",
        "18446744073.71",
        "9" * 9999,
    ],
)
def test_what_is_no_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(BadAmount):
        from_tokens(text, 9, "SOL")


@pytest.mark.parametrize("text", ["1.0", "", "-1", str(U64_MAX + 1), "9" * 9999])
def test_base_units_are_integers_of_64_bits(text: str) -> None:
    with pytest.raises(BadAmount):
        from_base_units(text)


@pytest.mark.parametrize(("text", "bps"), [("0.5%", 50), ("0.01%", 1), ("0%", 0), ("12 %", 1200), ("100%", 10_000)])
def test_slippage_is_a_percentage(text: str, bps: int) -> None:
    assert basis_points(text, "0.5%") == bps


@pytest.mark.parametrize("text", ["0.5", "0.005%", "%", "-1%", "101%", "1e1%"])
def test_slippage_that_is_no_whole_basis_points_is_refused(text: str) -> None:
    with pytest.raises(BadAmount):
        basis_points(text, "0.5%")


@pytest.mark.parametrize(
    ("text", "lamports"),
    [("0.0005SOL", 500_000), ("0.0005 sol", 500_000), ("500000lamports", 500_000), ("0 SOL", 0), ("1 lamport", 1)],
)
def test_a_fee_is_read_by_its_unit(text: str, lamports: int) -> None:
    assert fee_lamports(text) == lamports


@pytest.mark.parametrize(
    "text",
    ["", "0.0005", "500000", "SOL", "1e3SOL", "-1SOL", "0.5lamports", "0.0000000001SOL", "1.2.3SOL", "99999999999SOL"],
)
def test_a_fee_without_its_unit_or_too_fine_is_refused(text: str) -> None:
    with pytest.raises(BadAmount):
        fee_lamports(text)


def test_shares_are_shown_short() -> None:
    assert percent(50) == "0.5%"
    assert percent_apart(990, 1000) == "1.00%"
    assert percent_apart(1010, 1000) == "1.00%"
    assert percent_apart(149_612_759, 149_616_470) == "0.0025%"
    assert percent_apart(10**18 - 1, 10**18) == "<0.000001%"
