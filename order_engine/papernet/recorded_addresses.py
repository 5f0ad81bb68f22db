"""Recorded program addresses, derived again by the engine and, with their bumps, from the plain seeds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict
from solders.pubkey import Pubkey

from order_engine.domain.tokens import ASSOCIATED_TOKEN_PROGRAM, associated_token_address
from order_engine.papernet.replay_check import Arguments, difference
from order_engine.papernet.vector_file import Key
from order_engine.venues.meteora_damm_v2 import layout as damm
from order_engine.venues.meteora_dlmm import layout as dlmm
from order_engine.venues.raydium_clmm import layout as clmm
from order_engine.venues.raydium_cpmm import layout as cpmm


class AddressRecord(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    type: str
    args: dict[str, object]
    address: Key
    bump: int | None = None


@dataclass(frozen=True, slots=True)
class Derivation:
    program: Pubkey
    derive: Callable[[Arguments], Pubkey]  # the engine's own
    seeds: Callable[[Arguments], Sequence[bytes]]


def _u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


def _keys(args: Arguments, *names: str) -> list[bytes]:
    return [bytes(args.key(name)) for name in names]


def _pool_derivation(program: Pubkey, layout_pool: Callable[[Pubkey, Pubkey, Pubkey], Pubkey]) -> Derivation:
    names = ("amm_config", "mint_0", "mint_1")
    return Derivation(program, lambda a: layout_pool(*map(a.key, names)), lambda a: [b"pool", *_keys(a, *names)])


def _vault_derivation(program: Pubkey, layout_vault: Callable[[Pubkey, Pubkey], Pubkey]) -> Derivation:
    names = ("pool", "mint")
    return Derivation(program, lambda a: layout_vault(*map(a.key, names)), lambda a: [b"pool_vault", *_keys(a, *names)])


def _of_one(program: Pubkey, derive: Callable[[Pubkey], Pubkey], prefix: bytes, name: str) -> Derivation:
    return Derivation(program, lambda a: derive(a.key(name)), lambda a: [prefix, *_keys(a, name)])


def _pair_seeds(args: Arguments) -> list[bytes]:
    return [
        *sorted(_keys(args, "mint_x", "mint_y")),
        _u16(args.integer("bin_step")),
        _u16(args.integer("base_factor")),
    ]


_ATA_NAMES: Final = ("owner", "mint", "token_program")
_DERIVATIONS: Final[Mapping[str, Derivation]] = MappingProxyType(
    {
        "ata": Derivation(
            ASSOCIATED_TOKEN_PROGRAM,
            lambda a: associated_token_address(*map(a.key, _ATA_NAMES)),
            lambda a: _keys(a, "owner", "token_program", "mint"),
        ),
        "raydium_cpmm.pool": _pool_derivation(cpmm.PROGRAM_ID, cpmm.pool_address),
        "raydium_cpmm.vault": _vault_derivation(cpmm.PROGRAM_ID, cpmm.vault_address),
        "raydium_cpmm.observation": _of_one(cpmm.PROGRAM_ID, cpmm.observation_address, b"observation", "pool"),
        "raydium_cpmm.amm_config": Derivation(
            cpmm.PROGRAM_ID,
            lambda a: cpmm.config_address(a.integer("index")),
            lambda a: [b"amm_config", a.integer("index").to_bytes(2, "big")],
        ),
        "raydium_cpmm.authority": Derivation(
            cpmm.PROGRAM_ID, lambda _: cpmm.AUTHORITY, lambda _: [b"vault_and_lp_mint_auth_seed"]
        ),
        "raydium_clmm.pool": _pool_derivation(clmm.PROGRAM_ID, clmm.pool_address),
        "raydium_clmm.vault": _vault_derivation(clmm.PROGRAM_ID, clmm.vault_address),
        "raydium_clmm.observation": _of_one(clmm.PROGRAM_ID, clmm.observation_address, b"observation", "pool"),
        "raydium_clmm.amm_config": Derivation(
            clmm.PROGRAM_ID,
            lambda a: clmm.config_address(a.integer("index")),
            lambda a: [b"amm_config", a.integer("index").to_bytes(2, "big")],
        ),
        "raydium_clmm.bitmap_extension": _of_one(
            clmm.PROGRAM_ID, clmm.bitmap_extension_address, b"pool_tick_array_bitmap_extension", "pool"
        ),
        "raydium_clmm.tick_array": Derivation(
            clmm.PROGRAM_ID,
            lambda a: clmm.tick_array_address(a.key("pool"), a.integer("start_tick_index")),
            lambda a: [
                b"tick_array",
                *_keys(a, "pool"),
                a.integer("start_tick_index").to_bytes(4, "big", signed=True),
            ],
        ),
        "meteora_dlmm.oracle": _of_one(dlmm.PROGRAM_ID, dlmm.oracle_address, b"oracle", "lb_pair"),
        "meteora_dlmm.bitmap_extension": _of_one(dlmm.PROGRAM_ID, dlmm.extension_address, b"bitmap", "lb_pair"),
        "meteora_dlmm.reserve": Derivation(
            dlmm.PROGRAM_ID,
            lambda a: dlmm.reserve_address(a.key("lb_pair"), a.key("mint")),
            lambda a: _keys(a, "lb_pair", "mint"),
        ),
        "meteora_dlmm.bin_array": Derivation(
            dlmm.PROGRAM_ID,
            lambda a: dlmm.array_address(a.key("lb_pair"), a.integer("index")),
            lambda a: [b"bin_array", *_keys(a, "lb_pair"), a.integer("index").to_bytes(8, "little", signed=True)],
        ),
        "meteora_dlmm.lb_pair2": Derivation(
            dlmm.PROGRAM_ID,
            lambda a: dlmm.pair_address(
                a.key("mint_x"), a.key("mint_y"), a.integer("bin_step"), a.integer("base_factor")
            ),
            _pair_seeds,
        ),
        "meteora_damm_v2.pool": Derivation(
            damm.PROGRAM_ID,
            lambda a: damm.pool_address(a.key("config"), a.key("mint_a"), a.key("mint_b")),
            lambda a: [b"pool", *_keys(a, "config"), *sorted(_keys(a, "mint_a", "mint_b"), reverse=True)],
        ),
        "meteora_damm_v2.customizable_pool": Derivation(
            damm.PROGRAM_ID,
            lambda a: damm.custom_pool_address(a.key("mint_a"), a.key("mint_b")),
            lambda a: [b"cpool", *sorted(_keys(a, "mint_a", "mint_b"), reverse=True)],
        ),
        "meteora_damm_v2.vault": Derivation(
            damm.PROGRAM_ID,
            lambda a: damm.vault_address(a.key("mint"), a.key("pool")),
            lambda a: [b"token_vault", *_keys(a, "mint", "pool")],
        ),
        "meteora_damm_v2.pool_authority": Derivation(
            damm.PROGRAM_ID, lambda _: damm.POOL_AUTHORITY, lambda _: [b"pool_authority"]
        ),
    }
)


def address_differences(record: Mapping[str, object]) -> Iterator[str]:
    """Yield what is otherwise than recorded.

    Raises:
        ValueError: the record cannot be read, or is of an address that is not known here.
    """
    recorded = AddressRecord.model_validate(record)
    derivation, args = _DERIVATIONS.get(recorded.type), Arguments(recorded.args)
    if derivation is None:
        raise ValueError(f"unknown kind of address {recorded.type}")
    yield from difference("address", recorded.address, derivation.derive(args))
    address, bump = Pubkey.find_program_address(derivation.seeds(args), derivation.program)
    yield from difference("address of the seeds", recorded.address, address)
    if recorded.bump is not None:
        yield from difference("bump", recorded.bump, bump)
