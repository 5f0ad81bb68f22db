"""Meteora DLMM against recorded swaps of the real program, its prices and fees, its addresses and instructions."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account, Trader
from order_engine.papernet.replay import REPLAY_VENUES, replay_file
from order_engine.papernet.replay_case import ReplayCase
from order_engine.papernet.vector_file import Vector, VectorFile, load_json
from order_engine.venues.meteora_dlmm import instructions, layout, math
from order_engine.venues.meteora_dlmm.arrays import BIN, BINS_PER_ARRAY, bin_offset, decode_array
from order_engine.venues.meteora_dlmm.instructions import SwapAccounts
from tests.unit.meteora_dlmm_samples import a_pool

DATA: Final = Path(__file__).parent / "data"
PATH: Final = DATA / "meteora_dlmm.json.gz"
FILE: Final = VectorFile.model_validate(load_json(PATH))
Record = dict[str, Any]


def key(value: str) -> Pubkey:
    return Pubkey.from_string(value)


def loaded(file: str) -> Any:
    return json.loads(gzip.decompress((DATA / file).read_bytes()))


def records(file: str, kind: str, count: int) -> list[Record]:
    chosen = [record for record in loaded(file)["vectors"] if record["type"] == f"meteora_dlmm.{kind}"]
    assert len(chosen) == count
    return chosen


def case_of(vector: Vector) -> ReplayCase:
    return ReplayCase.of(REPLAY_VENUES["meteora_dlmm"], FILE.pools[vector.pool], vector, FILE.user)


def accounts_of(pool: str, role: str) -> list[tuple[Pubkey, Account]]:
    return [(dump.pubkey, dump.to_account()) for dump in FILE.pools[pool].accounts if dump.role == role]


class TestSwaps:
    @pytest.mark.parametrize("vector", FILE.vectors, ids=lambda vector: vector.id)
    def test_program_and_quote_repeat_the_recorded_swap(self, vector: Vector) -> None:
        assert list(case_of(vector).problems()) == []

    def test_the_file_replays_without_a_failure(self) -> None:
        report = replay_file(PATH)
        assert (report.passed, report.failures) == (272, ())

    def test_the_vectors_cover_both_kinds_of_swap_and_every_recorded_error(self) -> None:
        outcomes = Counter((vector.kind, vector.expected.ok, vector.expected.error) for vector in FILE.vectors)
        assert outcomes == {
            ("exact_in", True, None): 146,
            ("exact_in", False, 6002): 10,
            ("exact_in", False, 6036): 12,
            ("exact_in", False, 6037): 2,
            ("exact_in", False, 6039): 16,
            ("exact_out", True, None): 74,
            ("exact_out", False, 6036): 3,
            ("exact_out", False, 6039): 7,
            ("exact_out", False, 6085): 2,
        }

    def test_no_recorded_swap_burned_more_compute_units_than_its_quote_says(self) -> None:
        burned = {record["id"]: record["expected"].get("compute_units") for record in loaded(PATH.name)["vectors"]}
        spare = []
        for vector in FILE.vectors:
            if vector.expected.ok:
                case = case_of(vector)
                quote = case._quote(case._pool())
                assert quote.compute_units is not None
                spare.append(quote.compute_units - burned[vector.id])
        assert len(spare) == 220
        assert min(spare) >= 0


class TestAccounts:
    @pytest.mark.parametrize("name", FILE.pools)
    def test_a_recorded_pool_reads_as_recorded_and_keeps_its_bytes(self, name: str) -> None:
        ((address, account),) = accounts_of(name, "pool")
        state = layout.decode_pair(address, account)
        recorded = loaded(PATH.name)["pools"][name]["state"]
        assert (state.bin_step, state.active_id) == (recorded["bin_step"], recorded["active_id"])
        for field, value in recorded["v_parameters"].items():
            assert getattr(state, field) == value
        assert layout.patch_pair(account.data, state) == account.data
        encoded = Account(owner=account.owner, lamports=1, data=layout.encode_pair(state))
        assert layout.decode_pair(address, encoded) == state

    @pytest.mark.parametrize("name", FILE.pools)
    def test_every_stored_price_is_the_one_we_compute(self, name: str) -> None:
        ((address, account),) = accounts_of(name, "pool")
        step, compared = layout.decode_pair(address, account).bin_step, 0
        for array_key, array_account in accounts_of(name, "bin_array"):
            array = decode_array(array_key, array_account, address)
            for bin_id in range(array.index * BINS_PER_ARRAY, (array.index + 1) * BINS_PER_ARRAY):
                _, _, low, high, *_ = BIN.unpack_from(array.data, bin_offset(bin_id))
                price = low | high << 64
                assert price in (0, math.price_of(bin_id, step))
                compared += price != 0
        assert compared > 0


class TestMath:
    def test_prices_of_bins_are_as_recorded(self) -> None:
        table = loaded("math.json.gz")["dlmm_bin_price_q64"]
        assert len(table) == 120
        for bin_id, bin_step, price in table:
            assert math.price_of(bin_id, bin_step) == int(price)

    def test_fees_are_as_recorded(self) -> None:
        table = loaded("math.json.gz")["dlmm_fee"]
        assert len(table) == 120
        for row in table:
            base = math.base_fee(row["base_factor"], row["bin_step"], row["base_fee_power_factor"])
            variable = math.variable_fee(row["variable_fee_control"], row["volatility_accumulator"], row["bin_step"])
            assert base == int(row["base_fee"])
            assert variable == int(row["variable_fee"])
            assert min(math.MAX_FEE_NUMERATOR, base + variable) == int(row["total_fee"])


class TestAddresses:
    @pytest.mark.parametrize("record", records("pdas.json.gz", "bin_array", 12), ids=lambda record: record["address"])
    def test_bin_arrays(self, record: Record) -> None:
        args = record["args"]
        assert layout.array_address(key(args["lb_pair"]), args["index"]) == key(record["address"])

    @pytest.mark.parametrize("record", records("pdas.json.gz", "bitmap_extension", 12), ids=lambda r: r["address"])
    def test_bitmap_extensions(self, record: Record) -> None:
        assert layout.extension_address(key(record["args"]["lb_pair"])) == key(record["address"])

    @pytest.mark.parametrize("record", records("pdas.json.gz", "oracle", 12), ids=lambda r: r["address"])
    def test_oracles(self, record: Record) -> None:
        assert layout.oracle_address(key(record["args"]["lb_pair"])) == key(record["address"])

    @pytest.mark.parametrize("record", records("pdas.json.gz", "reserve", 12), ids=lambda r: r["address"])
    def test_reserves(self, record: Record) -> None:
        args = record["args"]
        assert layout.reserve_address(key(args["lb_pair"]), key(args["mint"])) == key(record["address"])

    @pytest.mark.parametrize("record", records("pdas.json.gz", "lb_pair2", 12), ids=lambda r: r["address"])
    def test_pools_whichever_mint_is_named_first(self, record: Record) -> None:
        args = record["args"]
        mints, terms = (key(args["mint_x"]), key(args["mint_y"])), (args["bin_step"], args["base_factor"])
        assert layout.pair_address(*mints, *terms) == key(record["address"])
        assert layout.pair_address(*mints[::-1], *terms) == key(record["address"])


def recorded(record: Record) -> Instruction:
    raw = record["instruction"]
    metas = [AccountMeta(key(meta["pubkey"]), meta["is_signer"], meta["is_writable"]) for meta in raw["accounts"]]
    return Instruction(key(raw["program_id"]), bytes.fromhex(raw["data"]), metas)


def accounts(args: Record) -> SwapAccounts:
    keys = {name: key(value) for name, value in args.items() if isinstance(value, str) and not value.isdigit()}
    none = keys["none_accounts_are"]
    return SwapAccounts(
        pool=keys["lbPair"],
        state=a_pool(
            reserve_x=keys["reserveX"],
            reserve_y=keys["reserveY"],
            mint_x=keys["tokenXMint"],
            mint_y=keys["tokenYMint"],
            oracle=keys["oracle"],
        ).state,
        token_programs=(keys["tokenXProgram"], keys["tokenYProgram"]),
        trader=Trader(owner=keys["user"], token_account_in=keys["userTokenIn"], token_account_out=keys["userTokenOut"]),
        extension=None if keys["binArrayBitmapExtension"] == none else keys["binArrayBitmapExtension"],
        host_fee=None if keys["hostFeeIn"] == none else keys["hostFeeIn"],
        bin_arrays=[key(value) for value in args["bin_arrays"]],
    )


class TestInstructions:
    @pytest.mark.parametrize("record", records("instructions.json.gz", "swap2", 10), ids=lambda r: r["id"])
    def test_swap2(self, record: Record) -> None:
        args = record["args"]
        amounts = {"amount_in": int(args["amount_in"]), "min_amount_out": int(args["min_amount_out"])}
        assert instructions.swap2(accounts(args), **amounts) == recorded(record)

    @pytest.mark.parametrize("record", records("instructions.json.gz", "swap", 10), ids=lambda r: r["id"])
    def test_swap(self, record: Record) -> None:
        args = record["args"]
        amounts = {"amount_in": int(args["amount_in"]), "min_amount_out": int(args["min_amount_out"])}
        assert instructions.swap(accounts(args), **amounts) == recorded(record)

    @pytest.mark.parametrize("record", records("instructions.json.gz", "swap_exact_out2", 10), ids=lambda r: r["id"])
    def test_swap_exact_out2(self, record: Record) -> None:
        args = record["args"]
        amounts = {"max_amount_in": int(args["max_in_amount"]), "amount_out": int(args["out_amount"])}
        assert instructions.swap_exact_out2(accounts(args), **amounts) == recorded(record)
