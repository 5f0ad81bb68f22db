"""Raydium CLMM against recorded swaps and tables: bytecode where it exists, else the SDK and the source at HEAD."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account, AccountSnapshot, ExactOutRequest, SwapRequest, Trader
from order_engine.papernet.programs.raydium_clmm import RaydiumClmm
from order_engine.papernet.replay import REPLAY_VENUES, replay_file
from order_engine.papernet.replay_case import ReplayCase, ReplayVenue
from order_engine.papernet.vector_file import PoolDump, Vector, VectorFile
from order_engine.venues.raydium_clmm import layout
from order_engine.venues.raydium_clmm.instructions import SwapArguments, decode_arguments, swap_v2
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool
from order_engine.venues.raydium_clmm.ticks import sqrt_price_at_tick, tick_at_sqrt_price

DATA: Final = Path(__file__).parent / "data"
PATH: Final = DATA / "raydium_clmm.json.gz"
Record = dict[str, Any]


def document(file: str) -> Record:
    loaded: Record = json.loads(gzip.decompress((DATA / file).read_bytes()))
    return loaded


DOCUMENT: Final = document("raydium_clmm.json.gz")
FILE: Final = VectorFile.model_validate(DOCUMENT)
RECORDS: Final = {record["id"]: record for record in DOCUMENT["vectors"]}
BY_SDK: Final = [
    vector
    for vector in FILE.vectors
    if vector.expected.ok and RECORDS[vector.id]["expected"]["source"] == "sdk+source_port"
]
TABLES: Final = document("math.json.gz")


def records(file: str, prefix: str) -> list[Record]:
    return [record for record in document(file)["vectors"] if record["type"].startswith(prefix)]


PDAS: Final = records("pdas.json.gz", "raydium_clmm.")
INSTRUCTIONS: Final = records("instructions.json.gz", "raydium_clmm.swap_v2")


def key(value: str) -> Pubkey:
    return Pubkey.from_string(value)


def accounts_of(dump: PoolDump) -> dict[Pubkey, Account]:
    return {account.pubkey: account.to_account() for account in dump.accounts}


@pytest.mark.parametrize("vector", FILE.vectors, ids=lambda vector: vector.id)
def test_program_and_quote_repeat_the_recorded_swap(vector: Vector) -> None:
    case = ReplayCase.of(REPLAY_VENUES["raydium_clmm"], FILE.pools[vector.pool], vector, FILE.user)
    assert list(case.problems()) == []


def test_the_file_replays_without_a_failure() -> None:
    report = replay_file(PATH)
    assert (report.passed, report.failures) == (272, ())


def test_the_vectors_cover_both_kinds_of_swap_and_every_recorded_error() -> None:
    errors = Counter(vector.expected.error for vector in FILE.vectors)
    assert errors == {None: 233, 6019: 14, 6026: 13, 6024: 12}
    assert Counter(vector.kind for vector in FILE.vectors) == {"exact_in": 163, "exact_out": 109}
    assert len(BY_SDK) == 66


@pytest.mark.parametrize("vector", BY_SDK, ids=lambda vector: vector.id)
def test_dynamic_fees_output_fees_and_limit_orders_leave_the_pool_as_the_sdk_does(vector: Vector) -> None:
    """These records have no after-state of their own: the SDK's stands for it."""
    dump, sdk = FILE.pools[vector.pool], RECORDS[vector.id]["sdk"]
    case = ReplayCase.of(REPLAY_VENUES["raydium_clmm"], dump, vector, FILE.user)
    clock, metas = dump.clock.to_clock(), vector.instruction.to_instruction().accounts
    effects = case.venue.program.execute(vector.instruction.data, metas, case.accounts.get, clock)
    pool = dump.address("pool")
    changed = Account(owner=layout.PROGRAM_ID, lamports=1, data=effects.accounts[pool])
    after, before = layout.decode_pool(pool, changed), layout.decode_pool(pool, case.accounts[pool])
    assert after.liquidity == int(sdk["liquidity_after"])
    assert after.sqrt_price_x64 == int(sdk["sqrt_price_x64_after"])
    assert after.tick_current == sdk["tick_after"]
    side_in = int(vector.user.mint_in == after.mints[1])
    fee_side = side_in if after.is_fee_on_input(side_in) else 1 - side_in
    for kept_before, kept_after in (
        (before.fee_growth_x64, after.fee_growth_x64),
        (before.protocol_fees, after.protocol_fees),
        (before.fund_fees, after.fund_fees),
    ):
        assert kept_after[1 - fee_side] == kept_before[1 - fee_side]
        assert kept_after[fee_side] >= kept_before[fee_side]


def test_the_fee_of_every_successful_swap_is_the_sdks() -> None:
    paid = [vector for vector in FILE.vectors if vector.expected.ok]
    assert len(paid) == 219
    venue = ReplayVenue(RaydiumClmm(), RaydiumClmmPool, lambda _address, _account: {})
    for vector in paid:
        dump, user = FILE.pools[vector.pool], vector.user
        clock = dump.clock
        accounts = ReplayCase.of(venue, dump, vector, FILE.user).accounts
        snapshot = AccountSnapshot(
            slot=clock.slot, unix_timestamp=clock.unix_timestamp, epoch=clock.epoch, accounts=accounts
        )
        pool = RaydiumClmmPool.decode(dump.address("pool"), snapshot)
        if vector.kind == "exact_in":
            quote = pool.quote(SwapRequest(token_in=user.mint_in, token_out=user.mint_out, amount_in=vector.amount))
        else:
            wanted = ExactOutRequest(token_in=user.mint_in, token_out=user.mint_out, amount_out=vector.amount)
            quote = pool.quote_exact_out(wanted)
        assert (vector.id, str(quote.fee_amount)) == (vector.id, RECORDS[vector.id]["sdk"]["fee"])


def test_recorded_pools_and_configs_encode_to_the_bytes_they_were_read_from() -> None:
    assert len(FILE.pools) == 17
    for dump in FILE.pools.values():
        accounts = accounts_of(dump)
        pool, config = dump.address("pool"), dump.address("config")
        state = layout.decode_pool(pool, accounts[pool])
        assert layout.patch_pool(accounts[pool].data, state) == accounts[pool].data
        assert layout.encode_config(layout.decode_config(config, accounts[config])) == accounts[config].data


@pytest.mark.parametrize("name", FILE.pools)
def test_a_recorded_pool_reads_as_recorded(name: str) -> None:
    dump, recorded = FILE.pools[name], DOCUMENT["pools"][name]["state"]
    clock, address = dump.clock, dump.address("pool")
    snapshot = AccountSnapshot(
        slot=clock.slot, unix_timestamp=clock.unix_timestamp, epoch=clock.epoch, accounts=accounts_of(dump)
    )
    pool = RaydiumClmmPool.decode(address, snapshot)
    assert pool.state.liquidity == int(recorded["liquidity"])
    assert pool.state.sqrt_price_x64 == int(recorded["sqrt_price_x64"])
    assert (pool.state.tick_current, pool.state.fee_on) == (recorded["tick_current"], recorded["fee_on"])
    assert pool.config.trade_fee_rate == recorded["config"]["tradeFeeRate"]
    held = [tick for start in sorted(pool.arrays) for tick in pool.arrays[start].ticks]
    assert [(tick.tick_index, str(tick.liquidity_net), str(tick.liquidity_gross)) for tick in held] == [
        (tick["tick"], tick["liquidity_net"], tick["liquidity_gross"]) for tick in recorded["ticks"]
    ]
    assert (pool.state.dynamic_fee is None) == (recorded["dynamic_fee"] is None)


def test_every_tick_of_the_table_has_its_price() -> None:
    table = TABLES["clmm_tick_to_sqrt_price_x64"]
    assert len(table) == 127
    assert [[tick, str(sqrt_price_at_tick(tick))] for tick, _ in table] == table


def test_every_price_of_the_table_has_its_tick() -> None:
    table = TABLES["clmm_sqrt_price_x64_to_tick"]
    assert len(table) == 120
    assert [[price, tick_at_sqrt_price(int(price))] for price, _ in table] == table


def derive(kind: str, args: Record) -> Pubkey:
    match kind.removeprefix("raydium_clmm."):
        case "pool":
            return layout.pool_address(key(args["amm_config"]), key(args["mint_0"]), key(args["mint_1"]))
        case "vault":
            return layout.vault_address(key(args["pool"]), key(args["mint"]))
        case "observation":
            return layout.observation_address(key(args["pool"]))
        case "tick_array":
            return layout.tick_array_address(key(args["pool"]), args["start_tick_index"])
        case "bitmap_extension":
            return layout.bitmap_extension_address(key(args["pool"]))
    raise ValueError(kind)


def test_addresses_are_derived_as_recorded() -> None:
    assert len(PDAS) == 60
    assert [derive(record["type"], record["args"]) for record in PDAS] == [key(record["address"]) for record in PDAS]


@pytest.mark.parametrize("record", INSTRUCTIONS, ids=lambda record: record["id"])
def test_swap_v2_is_built_as_recorded(record: Record) -> None:
    args, raw = record["args"], record["instruction"]
    state = layout.PoolState(
        config=key(args["amm_config"]),
        owner=Pubkey.default(),
        mints=(key(args["mint_in"]), key(args["mint_out"])),
        vaults=(key(args["vault_in"]), key(args["vault_out"])),
        observation=key(args["observation"]),
        decimals=(6, 6),
        tick_spacing=1,
        liquidity=0,
        sqrt_price_x64=2**64,
        tick_current=0,
    )
    arguments = SwapArguments(
        amount=int(args["amount"]),
        threshold=int(args["other_amount_threshold"]),
        sqrt_price_limit_x64=int(args["sqrt_price_limit_x64"]),
        is_base_input=args["is_base_input"],
    )
    trader = Trader(
        owner=key(args["payer"]), token_account_in=key(args["user_in"]), token_account_out=key(args["user_out"])
    )
    extension = [key(args["bitmap_extension"])] if args["bitmap_extension"] else []
    ahead = extension + [key(array) for array in args["tick_arrays"]]
    metas = [AccountMeta(key(meta["pubkey"]), meta["is_signer"], meta["is_writable"]) for meta in raw["accounts"]]
    recorded = Instruction(key(raw["program_id"]), bytes.fromhex(raw["data"]), metas)
    assert swap_v2(key(args["pool"]), state, trader, 0, arguments, ahead) == recorded
    assert decode_arguments(bytes(recorded.data)) == arguments


def test_ten_instructions_are_recorded() -> None:
    assert len(INSTRUCTIONS) == 10
