"""The token instructions around a swap, as the public SDKs make them: creating, syncing and closing accounts."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.order import Order, OrderId, OrderType
from order_engine.domain.route import Route, RouteLeg
from order_engine.domain.tokens import NO_TRANSFER_FEE, TOKEN_PROGRAM, WRAPPED_SOL, Token
from order_engine.usecases.swap_plan import swap_plan
from order_engine.venues.raydium_cpmm import layout
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool

DOCUMENT: Final = json.loads(gzip.decompress((Path(__file__).parent / "data" / "instructions.json.gz").read_bytes()))
WALLET: Final = Pubkey.from_string(DOCUMENT["user"])
SOL: Final = Token(WRAPPED_SOL, "SOL", 9, TOKEN_PROGRAM)
OTHER: Final = Token(Pubkey(bytes([250] * 32)), "", 6, TOKEN_PROGRAM)
Record = dict[str, Any]


def records(kind: str) -> list[Record]:
    chosen = [record for record in DOCUMENT["vectors"] if record["type"] == kind]
    assert len(chosen) == 10
    return chosen


def recorded(record: Record) -> Instruction:
    raw = record["instruction"]
    metas = [
        AccountMeta(Pubkey.from_string(meta["pubkey"]), meta["is_signer"], meta["is_writable"])
        for meta in raw["accounts"]
    ]
    return Instruction(Pubkey.from_string(raw["program_id"]), bytes.fromhex(raw["data"]), metas)


def plan(token_in: Token, token_out: Token) -> list[Instruction]:
    config = layout.AmmConfig(
        index=0, trade_fee_rate=1, protocol_fee_rate=0, fund_fee_rate=0, protocol_owner=WALLET, fund_owner=WALLET
    )
    address, state = layout.new_pool(
        (token_in, token_out), config=layout.config_address(0), creator=WALLET, lp_supply=1
    )
    pool = RaydiumCpmmPool(
        address=address,
        slot=1,
        unix_timestamp=1,
        state=state,
        config=config,
        vault_amounts=(10**9, 10**9),
        transfer_fees=(NO_TRANSFER_FEE, NO_TRANSFER_FEE),
    )
    leg = RouteLeg(
        venue=pool.VENUE,
        pool=address,
        token_in=token_in.mint,
        token_out=token_out.mint,
        amount_in=1_000,
        amount_out=999,
        fee_amount=1,
        fee_token=token_in.mint,
        share_bps=10_000,
        min_amount_out=990,
        max_amount_in=1_000,
    )
    route = Route(
        legs=(leg,),
        amount_in=1_000,
        max_amount_in=1_000,
        amount_out=999,
        min_amount_out=990,
        price_impact_bps=0,
        slot=1,
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    order = Order(
        order_id=OrderId(UUID(int=1)),
        owner="local",
        request_id="",
        client_order_id="",
        order_type=OrderType.MARKET,
        token_in=token_in.mint,
        token_out=token_out.mint,
        amount_in=1_000,
        slippage_bps=100,
        max_attempts=3,
        create_time=now,
        update_time=now,
    )
    return list(swap_plan(order, route, {pool.address: pool}, WALLET, 1).instructions)


def form(instruction: Instruction) -> tuple[bytes, list[tuple[bool, bool]]]:
    """Return what an instruction is, whoever it is for."""
    return bytes(instruction.data), [(meta.is_signer, meta.is_writable) for meta in instruction.accounts]


OWN_ACCOUNTS: Final = [record for record in records("ata.create_idempotent") if record["args"]["owner"] == str(WALLET)]


def test_some_recorded_accounts_are_created_by_their_owner() -> None:
    assert len(OWN_ACCOUNTS) >= 3


@pytest.mark.parametrize("record", OWN_ACCOUNTS, ids=lambda record: record["id"])
def test_the_output_account_is_created_as_recorded(record: Record) -> None:
    mint, program = (Pubkey.from_string(record["args"][name]) for name in ("mint", "token_program"))
    assert recorded(record) in plan(OTHER, Token(mint, "", 6, program))


@pytest.mark.parametrize("record", records("spl_token.sync_native"), ids=lambda record: record["id"])
def test_wrapped_sol_is_synced_as_recorded(record: Record) -> None:
    in_plan = [form(one) for one in plan(SOL, OTHER) if one.program_id == TOKEN_PROGRAM]
    assert recorded(record).program_id == TOKEN_PROGRAM
    assert in_plan.count(form(recorded(record))) == 1


@pytest.mark.parametrize("record", records("spl_token.close_account"), ids=lambda record: record["id"])
@pytest.mark.parametrize("pair", [(SOL, OTHER), (OTHER, SOL)], ids=["from SOL", "to SOL"])
def test_wrapped_sol_is_unwrapped_as_recorded(record: Record, pair: tuple[Token, Token]) -> None:
    (closing,) = [one for one in plan(*pair) if form(one) == form(recorded(record))]
    assert closing.program_id == TOKEN_PROGRAM
    assert [meta.pubkey for meta in closing.accounts][1:] == [WALLET, WALLET]
