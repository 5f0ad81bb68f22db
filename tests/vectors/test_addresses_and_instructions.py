"""Derived addresses and instructions, byte for byte as the public SDKs make them."""

import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from order_engine.domain.pool import Quote, Trader
from order_engine.domain.tokens import NO_TRANSFER_FEE, associated_token_address
from order_engine.papernet.token_instructions import transfer_checked
from order_engine.venues.raydium_cpmm import layout
from order_engine.venues.raydium_cpmm.pool import SWAP_BASE_OUTPUT, RaydiumCpmmPool

DATA: Final = Path(__file__).parent / "data"
Record = dict[str, Any]


def records(file: str, *kinds: str) -> list[Any]:
    document = json.loads(gzip.decompress((DATA / file).read_bytes()))
    chosen = [record for record in document["vectors"] if record["type"] in kinds]
    assert {record["type"] for record in chosen} == set(kinds)
    return [pytest.param(record, id=f"{record['type']}-{index}") for index, record in enumerate(chosen)]


def key(value: str) -> Pubkey:
    return Pubkey.from_string(value)


def recorded(record: Record) -> Instruction:
    raw = record["instruction"]
    metas = [AccountMeta(key(meta["pubkey"]), meta["is_signer"], meta["is_writable"]) for meta in raw["accounts"]]
    return Instruction(key(raw["program_id"]), bytes.fromhex(raw["data"]), metas)


def derive(kind: str, args: Record) -> Pubkey:
    match kind:
        case "raydium_cpmm.pool":
            return layout.pool_address(key(args["amm_config"]), key(args["mint_0"]), key(args["mint_1"]))
        case "raydium_cpmm.vault":
            return layout.vault_address(key(args["pool"]), key(args["mint"]))
        case "raydium_cpmm.observation":
            return layout.observation_address(key(args["pool"]))
        case "raydium_cpmm.amm_config":
            return layout.config_address(args["index"])
        case "raydium_cpmm.authority":
            assert layout.authority_address() == layout.AUTHORITY
            return layout.AUTHORITY
        case _:
            return associated_token_address(key(args["owner"]), key(args["mint"]), key(args["token_program"]))


@pytest.mark.parametrize(
    "record",
    records(
        "pdas.json.gz",
        "raydium_cpmm.pool",
        "raydium_cpmm.vault",
        "raydium_cpmm.observation",
        "raydium_cpmm.amm_config",
        "raydium_cpmm.authority",
        "ata",
    ),
)
def test_address_is_derived_as_recorded(record: Record) -> None:
    assert derive(record["type"], record["args"]) == key(record["address"])


def cpmm_swap(args: Record, *, amount: int, threshold: int) -> Instruction:
    """Build the swap with a pool whose token 0 is the input."""
    state = layout.PoolState(
        config=key(args["amm_config"]),
        creator=Pubkey.default(),
        vaults=(key(args["vault_in"]), key(args["vault_out"])),
        lp_mint=Pubkey.default(),
        mints=(key(args["mint_in"]), key(args["mint_out"])),
        token_programs=(key(args["program_in"]), key(args["program_out"])),
        observation=key(args["observation"]),
        decimals=(6, 6),
        lp_supply=0,
    )
    config = layout.AmmConfig(
        index=0,
        trade_fee_rate=0,
        protocol_fee_rate=0,
        fund_fee_rate=0,
        protocol_owner=Pubkey.default(),
        fund_owner=Pubkey.default(),
    )
    pool = RaydiumCpmmPool(
        address=key(args["pool"]),
        slot=1,
        unix_timestamp=1,
        state=state,
        config=config,
        vault_amounts=(1, 1),
        transfer_fees=(NO_TRANSFER_FEE, NO_TRANSFER_FEE),
    )
    quote = Quote(
        venue=pool.VENUE,
        pool=pool.address,
        slot=1,
        token_in=state.mints[0],
        token_out=state.mints[1],
        amount_in=amount,
        amount_out=1,
        fee_amount=0,
        fee_token=state.mints[0],
        price_impact_bps=0,
    )
    trader = Trader(
        owner=key(args["payer"]), token_account_in=key(args["user_in"]), token_account_out=key(args["user_out"])
    )
    return pool.swap_instruction(quote, threshold, trader)


@pytest.mark.parametrize("record", records("instructions.json.gz", "raydium_cpmm.swap_base_input"))
def test_cpmm_swap_is_built_as_recorded(record: Record) -> None:
    args = record["args"]
    assert args["arg_names"] == ["amount_in", "minimum_amount_out"]
    built = cpmm_swap(args, amount=int(args["arg0"]), threshold=int(args["arg1"]))
    assert built == recorded(record)


@pytest.mark.parametrize("record", records("instructions.json.gz", "raydium_cpmm.swap_base_output"))
def test_cpmm_exact_out_swap_differs_only_in_its_tag(record: Record) -> None:
    args = record["args"]
    assert args["arg_names"] == ["max_amount_in", "amount_out"]
    exact_in = cpmm_swap(args, amount=int(args["arg0"]), threshold=int(args["arg1"]))
    data = SWAP_BASE_OUTPUT + bytes(exact_in.data)[8:]
    assert Instruction(exact_in.program_id, data, exact_in.accounts) == recorded(record)


@pytest.mark.parametrize("record", records("instructions.json.gz", "spl_token.transfer_checked"))
def test_token_transfer_is_built_as_recorded(record: Record) -> None:
    args = record["args"]
    built = transfer_checked(
        token_program=key(args["token_program"]),
        source=key(args["source"]),
        mint=key(args["mint"]),
        destination=key(args["destination"]),
        owner=key(args["owner"]),
        amount=int(args["amount"]),
        decimals=args["decimals"],
    )
    assert built == recorded(record)


@pytest.mark.parametrize(
    "record",
    records(
        "instructions.json.gz",
        "compute_budget.set_compute_unit_limit",
        "compute_budget.set_compute_unit_price",
        "system.transfer",
    ),
)
def test_the_runtime_instructions_we_use_are_as_recorded(record: Record) -> None:
    args = record["args"]
    match record["type"]:
        case "compute_budget.set_compute_unit_limit":
            built = set_compute_unit_limit(args["units"])
        case "compute_budget.set_compute_unit_price":
            built = set_compute_unit_price(int(args["micro_lamports"]))
        case _:
            params = TransferParams(
                from_pubkey=key(args["from"]), to_pubkey=key(args["to"]), lamports=int(args["lamports"])
            )
            built = transfer(params)
    assert built == recorded(record)
