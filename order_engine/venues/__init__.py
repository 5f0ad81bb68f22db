"""The venues the engine trades on, by program: add a venue by adding its line."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.pool import Pool
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.meteora_dlmm.pool import MeteoraDlmmPool
from order_engine.venues.raydium_amm_v4.pool import RaydiumAmmV4Pool
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool

VENUES: Final[Mapping[Pubkey, type[Pool]]] = MappingProxyType(
    {
        RaydiumCpmmPool.PROGRAM_ID: RaydiumCpmmPool,
        RaydiumAmmV4Pool.PROGRAM_ID: RaydiumAmmV4Pool,
        RaydiumClmmPool.PROGRAM_ID: RaydiumClmmPool,
        MeteoraDammV2Pool.PROGRAM_ID: MeteoraDammV2Pool,
        MeteoraDlmmPool.PROGRAM_ID: MeteoraDlmmPool,
    }
)
