"""Replays what was recorded of the real programs: swaps, instructions, addresses, tables of prices, transactions.

A swap goes through the emulated program and through the engine's quote, and both must agree to the last unit. Nothing
is skipped: a venue, table or kind of record that is not known here is a failure of each of its vectors.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account
from order_engine.papernet.programs.meteora_damm_v2 import MeteoraDammV2
from order_engine.papernet.programs.meteora_dlmm import MeteoraDlmm
from order_engine.papernet.programs.raydium_amm_v4 import ERROR_CODES as AMM_V4_ERROR_CODES
from order_engine.papernet.programs.raydium_amm_v4 import RaydiumAmmV4
from order_engine.papernet.programs.raydium_clmm import RaydiumClmm
from order_engine.papernet.programs.raydium_cpmm import RaydiumCpmm
from order_engine.papernet.recorded_addresses import address_differences
from order_engine.papernet.recorded_forms import meteora_damm_v2_form, raydium_amm_v4_form
from order_engine.papernet.recorded_instructions import instruction_record_differences
from order_engine.papernet.recorded_math import TABLES, table_checks
from order_engine.papernet.recorded_transactions import transaction_differences
from order_engine.papernet.replay_case import ReplayCase, ReplayVenue
from order_engine.papernet.replay_check import Check, UnusableFile, first_problem
from order_engine.papernet.vector_file import Vector, VectorFile, VectorOutline, load_json
from order_engine.venues.meteora_damm_v2 import layout as meteora_damm_v2
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.meteora_dlmm import layout as meteora_dlmm
from order_engine.venues.meteora_dlmm.pool import MeteoraDlmmPool
from order_engine.venues.raydium_amm_v4 import layout as raydium_amm_v4
from order_engine.venues.raydium_amm_v4.pool import RaydiumAmmV4Pool
from order_engine.venues.raydium_clmm import layout as raydium_clmm
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool
from order_engine.venues.raydium_cpmm import layout as raydium_cpmm
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool


def _raydium_amm_v4_fields(address: Pubkey, account: Account) -> Mapping[str, int]:
    state = raydium_amm_v4.decode_pool(address, account)
    return {
        "status": state.status,
        "base_need_take_pnl": state.need_take_pnl[0],
        "quote_need_take_pnl": state.need_take_pnl[1],
    }


def _raydium_cpmm_fields(address: Pubkey, account: Account) -> Mapping[str, int]:
    state = raydium_cpmm.decode_pool(address, account)
    return {
        "protocol_fees_a": state.protocol_fees[0],
        "protocol_fees_b": state.protocol_fees[1],
        "fund_fees_a": state.fund_fees[0],
        "fund_fees_b": state.fund_fees[1],
        "creator_fees_a": state.creator_fees[0],
        "creator_fees_b": state.creator_fees[1],
    }


def _raydium_clmm_fields(address: Pubkey, account: Account) -> Mapping[str, int]:
    state = raydium_clmm.decode_pool(address, account)
    return {
        "liquidity": state.liquidity,
        "sqrt_price_x64": state.sqrt_price_x64,
        "tick_current": state.tick_current,
        "fee_growth_global_a_x64": state.fee_growth_x64[0],
        "fee_growth_global_b_x64": state.fee_growth_x64[1],
        "protocol_fees_a": state.protocol_fees[0],
        "protocol_fees_b": state.protocol_fees[1],
        "fund_fees_a": state.fund_fees[0],
        "fund_fees_b": state.fund_fees[1],
    }


def _meteora_damm_v2_fields(address: Pubkey, account: Account) -> Mapping[str, int]:
    state = meteora_damm_v2.decode_pool(address, account)
    dynamic = state.dynamic_fee
    return {
        "sqrt_price": state.sqrt_price,
        "liquidity": state.liquidity,
        "protocol_a_fee": state.protocol_a_fee,
        "protocol_b_fee": state.protocol_b_fee,
        "token_a_amount": state.token_a_amount,
        "token_b_amount": state.token_b_amount,
        "volatility_accumulator": dynamic.volatility_accumulator if dynamic else 0,
        "volatility_reference": dynamic.volatility_reference if dynamic else 0,
        "sqrt_price_reference": dynamic.sqrt_price_reference if dynamic else 0,
        "last_update_timestamp": dynamic.last_update_timestamp if dynamic else 0,
    }


def _meteora_dlmm_fields(address: Pubkey, account: Account) -> Mapping[str, int]:
    state = meteora_dlmm.decode_pair(address, account)
    return {
        "active_id": state.active_id,
        "volatility_accumulator": state.volatility_accumulator,
        "volatility_reference": state.volatility_reference,
        "index_reference": state.index_reference,
        "last_update_timestamp": state.last_update_timestamp,
        "protocol_fee_x": state.protocol_fee_x,
        "protocol_fee_y": state.protocol_fee_y,
    }


REPLAY_VENUES: Final[Mapping[str, ReplayVenue]] = MappingProxyType(
    {
        "raydium_amm_v4": ReplayVenue(
            RaydiumAmmV4(), RaydiumAmmV4Pool, _raydium_amm_v4_fields, AMM_V4_ERROR_CODES, raydium_amm_v4_form
        ),
        "raydium_cpmm": ReplayVenue(RaydiumCpmm(), RaydiumCpmmPool, _raydium_cpmm_fields),
        "raydium_clmm": ReplayVenue(RaydiumClmm(), RaydiumClmmPool, _raydium_clmm_fields),
        "meteora_damm_v2": ReplayVenue(
            MeteoraDammV2(), MeteoraDammV2Pool, _meteora_damm_v2_fields, recorded_form=meteora_damm_v2_form
        ),
        "meteora_dlmm": ReplayVenue(MeteoraDlmm(), MeteoraDlmmPool, _meteora_dlmm_fields),
    }
)


@dataclass(frozen=True, slots=True)
class Report:
    """One line in `failures` for each vector that failed, with all that is wrong with it."""

    passed: int
    failures: tuple[str, ...]


def replay_file(path: Path) -> Report:
    """Replay a vector file of any kind, plain JSON or gzip.

    Raises:
        UnusableFile: it cannot be read, or holds nothing to replay.
    """
    checks = checks_of(path)
    failures = tuple(filter(None, (check.failure() for check in checks)))
    return Report(len(checks) - len(failures), failures)


def checks_of(path: Path) -> Sequence[Check]:
    """Return one check for each vector of a file, at least one.

    Raises:
        UnusableFile: it cannot be read, or holds nothing to replay.
    """
    try:
        checks = tuple(_checks(load_json(path)))
    except ValidationError as error:
        raise UnusableFile(f"{path}: not a vector file: {first_problem(error)}") from error
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise UnusableFile(f"{path}: {error}") from error
    if not checks:
        raise UnusableFile(f"{path}: not a vector file: it holds no vectors")
    return checks


def _checks(document: object) -> Iterator[Check]:
    if not isinstance(document, dict):
        raise ValueError("not a vector file: no JSON object")
    if "venue" in document:
        yield from _swap_checks(document)
    elif "vectors" in document:
        yield from _record_checks(document["vectors"])
    elif document.keys() & TABLES.keys():
        yield from table_checks(document)
    else:
        raise ValueError("not a vector file: it has no venue, no vectors, and no table that is known here")


def _swap_checks(document: Mapping[str, object]) -> Iterator[Check]:
    outline = VectorOutline.model_validate(document)
    venue = REPLAY_VENUES.get(outline.venue)
    if venue is None:
        for vector in outline.vectors:
            yield Check(vector.id, partial(iter, [f"unknown venue {outline.venue}"]))
        return
    file = VectorFile.model_validate(document)
    for one in file.vectors:
        yield Check(one.id, partial(_swap_problems, venue, file, one))


def _swap_problems(venue: ReplayVenue, file: VectorFile, vector: Vector) -> Iterator[str]:
    return ReplayCase.of(venue, file.pools[vector.pool], vector, file.user).problems()


Differences = Callable[[Mapping[str, object]], Iterator[str]]

# a record is known by the field that only its kind has
_RECORDS: Final[Mapping[str, Differences]] = MappingProxyType(
    {
        "instruction": instruction_record_differences,
        "transaction_base64": transaction_differences,
        "address": address_differences,
    }
)


def _record_checks(records: object) -> Iterator[Check]:
    if not isinstance(records, list):
        raise ValueError("not a vector file: vectors is no list")
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise ValueError(f"not a vector file: vectors.{number} is no JSON object")
        compare = next((_RECORDS[field] for field in _RECORDS if field in record), _unknown)
        yield Check(_name(number, record), partial(compare, record))


def _unknown(_: Mapping[str, object]) -> Iterator[str]:
    yield "neither a swap nor an instruction, an address or a transaction"


def _name(number: int, record: Mapping[str, object]) -> str:
    kind = record.get("type", "vector")
    return str(record.get("id", f"{kind}[{number}]"))
