"""AMM v4 swap instructions, byte for byte as the public SDK makes them."""

import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Trader
from order_engine.venues.raydium_amm_v4.instructions import (
    SWAP_BASE_IN,
    SWAP_BASE_IN_V2,
    SWAP_BASE_OUT,
    SWAP_BASE_OUT_V2,
    OrderBook,
    swap,
    swap_v2,
    swap_with_order_book,
)
from order_engine.venues.raydium_amm_v4.layout import PoolState

PATH: Final = Path(__file__).parent / "data" / "instructions.json.gz"
Record = dict[str, Any]
TAGS: Final = {
    "raydium_amm_v4.swap_base_in": SWAP_BASE_IN,
    "raydium_amm_v4.swap_base_out": SWAP_BASE_OUT,
    "raydium_amm_v4.swap_base_in_v2": SWAP_BASE_IN_V2,
    "raydium_amm_v4.swap_base_out_v2": SWAP_BASE_OUT_V2,
}


def records(*kinds: str) -> list[Any]:
    document = json.loads(gzip.decompress(PATH.read_bytes()))
    chosen = [record for record in document["vectors"] if record["type"] in kinds]
    assert len(chosen) == 10 * len(kinds)
    return [pytest.param(record, id=record["id"]) for record in chosen]


def key(value: str) -> Pubkey:
    return Pubkey.from_string(value)


def recorded(record: Record) -> Instruction:
    raw = record["instruction"]
    metas = [AccountMeta(key(meta["pubkey"]), meta["is_signer"], meta["is_writable"]) for meta in raw["accounts"]]
    return Instruction(key(raw["program_id"]), bytes.fromhex(raw["data"]), metas)


def parts(record: Record) -> tuple[Pubkey, PoolState, Trader, tuple[int, int, int]]:
    args, pool = record["args"], record["args"]["pool"]
    state = PoolState(
        decimals=(9, 6),
        vaults=(key(pool["vault"]["A"]), key(pool["vault"]["B"])),
        mints=(key(pool["mintA"]["address"]), key(pool["mintB"]["address"])),
        lp_mint=key(pool["mintLp"]["address"]),
        open_orders=key(pool["openOrders"]),
        market=key(pool["marketId"]),
        market_program=key(pool["marketProgramId"]),
        target_orders=key(pool["targetOrders"]),
        owner=Pubkey.default(),
        lp_amount=0,
    )
    trader = Trader(
        owner=key(args["owner"]),
        token_account_in=key(args["user_token_in"]),
        token_account_out=key(args["user_token_out"]),
    )
    return key(pool["id"]), state, trader, (TAGS[record["type"]], int(args["amount_in"]), int(args["amount_out"]))


@pytest.mark.parametrize("record", records("raydium_amm_v4.swap_base_in", "raydium_amm_v4.swap_base_out"))
def test_the_long_form_is_built_as_recorded(record: Record) -> None:
    names = ("Bids", "Asks", "EventQueue", "BaseVault", "QuoteVault", "Authority")
    book = OrderBook(*(key(record["args"]["pool"][f"market{name}"]) for name in names))
    assert swap_with_order_book(*parts(record), book) == recorded(record)


@pytest.mark.parametrize("record", records("raydium_amm_v4.swap_base_in_v2", "raydium_amm_v4.swap_base_out_v2"))
def test_the_short_form_is_built_as_recorded(record: Record) -> None:
    assert swap_v2(*parts(record)) == recorded(record)


@pytest.mark.parametrize("record", records("raydium_amm_v4.swap_base_in", "raydium_amm_v4.swap_base_out"))
def test_the_form_we_send_is_the_recorded_one_with_the_pool_in_the_places_of_the_order_book(record: Record) -> None:
    pool = parts(record)[0]
    accounts = list(recorded(record).accounts)
    placeholder = AccountMeta(pool, is_signer=False, is_writable=True)
    wanted = [*accounts[:3], placeholder, *accounts[5:7], *[placeholder] * 8, *accounts[15:]]
    built = swap(*parts(record))
    assert built == Instruction(built.program_id, bytes.fromhex(record["instruction"]["data"]), wanted)
    assert len({meta.pubkey for meta in built.accounts}) == 8
