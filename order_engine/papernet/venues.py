"""The venues the network knows: their pools, and their swap instructions without bytecode."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.pool import Pool
from order_engine.papernet.programs import EmulatedProgram
from order_engine.papernet.programs.meteora_damm_v2 import MeteoraDammV2
from order_engine.papernet.programs.meteora_dlmm import MeteoraDlmm
from order_engine.papernet.programs.raydium_amm_v4 import RaydiumAmmV4
from order_engine.papernet.programs.raydium_clmm import RaydiumClmm
from order_engine.papernet.programs.raydium_cpmm import RaydiumCpmm
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.meteora_dlmm.pool import MeteoraDlmmPool
from order_engine.venues.raydium_amm_v4.pool import RaydiumAmmV4Pool
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool

_POOLS: Final[tuple[type[Pool], ...]] = (
    RaydiumCpmmPool,
    RaydiumAmmV4Pool,
    RaydiumClmmPool,
    MeteoraDammV2Pool,
    MeteoraDlmmPool,
)
POOL_OF_PROGRAM: Final[Mapping[Pubkey, type[Pool]]] = MappingProxyType({pool.PROGRAM_ID: pool for pool in _POOLS})


def emulated_programs() -> dict[Pubkey, EmulatedProgram]:
    programs: tuple[EmulatedProgram, ...] = (
        RaydiumCpmm(),
        RaydiumAmmV4(),
        RaydiumClmm(),
        MeteoraDammV2(),
        MeteoraDlmm(),
    )
    return {program.PROGRAM_ID: program for program in programs}
