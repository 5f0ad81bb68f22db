"""What a request may look like, and that nothing else gets through or gets repeated."""

from uuid import UUID

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from order_engine.api.form import Form, shown, token_page_token
from order_engine.domain.errors import InvalidOrder
from order_engine.domain.tokens import KNOWN_TOKENS, TOKENS_BY_SYMBOL, WRAPPED_SOL


def violations(form: Form) -> list[str]:
    try:
        form.check()
    except InvalidOrder as error:
        return [field for field, _ in error.violations]
    return []


@pytest.mark.parametrize("text", ["", "a", "A-b_c.d:e", "x" * 64])
def test_identifiers_of_the_alphabet_pass(text):
    form = Form()
    assert form.identifier("request_id", text) == text
    assert violations(form) == []


@pytest.mark.parametrize("text", [" ", "x" * 65, "a b", "a\n", "ä", "a/b", "\x00", "٣"])
def test_other_identifiers_are_refused(text):
    form = Form()
    form.identifier("request_id", text)
    assert violations(form) == ["request_id"]


@pytest.mark.parametrize("token", KNOWN_TOKENS, ids=lambda token: token.symbol)
def test_every_listed_token_is_read_by_symbol_and_by_mint(token):
    form = Form()
    assert form.token("token_in", token.symbol) == form.token("token_in", str(token.mint)) == token.mint
    assert violations(form) == []


@given(st.binary(min_size=32, max_size=32))
def test_any_thirty_two_bytes_in_base58_are_a_mint(raw):
    form = Form()
    assert form.token("token_in", str(Pubkey(raw))) == Pubkey(raw)
    assert violations(form) == []


@given(st.binary(max_size=64).filter(lambda raw: len(raw) != 32))
def test_base58_of_another_length_is_no_mint(raw):
    form = Form()
    form.token("token_in", base58.b58encode(raw).decode())
    assert violations(form) == ["token_in"]


@given(st.text(max_size=100))
def test_any_other_text_is_refused_and_never_crashes(text):
    form = Form()
    mint = form.token("token_in", text)
    if not violations(form):
        assert text in TOKENS_BY_SYMBOL or str(mint) == text


@pytest.mark.parametrize(
    "text",
    [
        "sol",
        "Sol",
        " SOL",
        "SOL ",
        str(WRAPPED_SOL)[:-1],
        str(WRAPPED_SOL) + "1",
        "1" * 31,
        "1" * 33,
        "0" * 44,
        "l" * 43,
    ],
)
def test_near_misses_are_refused(text):
    form = Form()
    form.token("token_out", text)
    assert violations(form) == ["token_out"]


def test_order_ids_are_uuids_in_their_usual_form():
    order_id = UUID("0192e4a0-1111-7abc-8def-0123456789ab")
    form = Form()
    assert form.order_id(str(order_id)) == form.order_id(str(order_id).upper()) == order_id
    assert violations(form) == []


@pytest.mark.parametrize(("value", "good"), [(0, True), (5000, True), (5001, False), (2**32 - 1, False)])
def test_slippage_is_at_most_half(value, good):
    form = Form()
    form.slippage_bps(value)
    assert (violations(form) == []) is good


@pytest.mark.parametrize(("value", "read"), [(0, 50), (1, 1), (1000, 1000), (2**31 - 1, 1000)])
def test_page_sizes_have_a_default_and_a_limit(value, read):
    assert Form().page_size(value) == read


@pytest.mark.parametrize("token", KNOWN_TOKENS, ids=lambda token: token.symbol)
def test_page_tokens_are_read_back(token):
    form = Form()
    assert form.token_page(token_page_token(token.mint)) == token.mint
    assert form.token_page(token_page_token(None)) is None
    assert violations(form) == []


@given(st.text(min_size=1, max_size=100))
def test_made_up_page_tokens_are_refused(text):
    form = Form()
    form.token_page(text)
    assert violations(form) == ["page_token"]


def test_a_well_formed_page_token_of_an_unlisted_mint_is_refused():
    form = Form()
    form.token_page(token_page_token(Pubkey.new_unique()))
    assert violations(form) == ["page_token"]


def test_every_bad_field_is_collected():
    form = Form()
    form.amount("amount_in", 0)
    form.order_id("x")
    form.token("token_in", "?")
    assert violations(form) == ["amount_in", "order_id", "token_in"]


@given(st.text(max_size=1000))
def test_what_is_repeated_is_short_and_printable(text):
    assert len(shown(text)) <= 64 + len('"..."')
    assert shown(text).isascii()
    assert shown(text).isprintable()
