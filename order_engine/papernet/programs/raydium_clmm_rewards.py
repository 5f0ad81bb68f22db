"""Rewards of a Raydium CLMM pool: they grow with time, whenever somebody swaps.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src/states/pool.rs, commit 03b44b7, `update_reward_infos`.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from order_engine.domain.amounts import U64_MAX, mul_div_ceil, mul_div_floor
from order_engine.venues.raydium_clmm.ticks import Q64, U128_MAX

_OPENING, _ENDED = 2, 3
# 0 state; 1 open, 9 end, 17 last update time; 25 emissions per second (Q64); 41 emitted, 49 claimed; 57 mint,
# 89 vault, 121 authority; 153 growth per unit of liquidity (Q64)
_REWARD: Final = struct.Struct("<BQQQ16sQ8s32s64s16s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    state: int
    open_time: int
    end_time: int
    last_update: int
    emissions_x64: int
    emitted: int
    claimed: bytes
    mint: bytes
    keys: bytes
    growth_x64: int

    @property
    def is_initialized(self) -> bool:
        return any(self.mint)


def decode_rewards(data: bytes) -> list[Reward]:
    """Read the rewards inside a pool account."""
    return [
        Reward(
            state=state,
            open_time=open_time,
            end_time=end_time,
            last_update=last_update,
            emissions_x64=int.from_bytes(emissions, "little"),
            emitted=emitted,
            claimed=claimed,
            mint=mint,
            keys=keys,
            growth_x64=int.from_bytes(growth, "little"),
        )
        for state, open_time, end_time, last_update, emissions, emitted, claimed, mint, keys, growth in (
            _REWARD.iter_unpack(data)
        )
    ]


def encode_rewards(rewards: Sequence[Reward]) -> bytes:
    return b"".join(
        _REWARD.pack(
            one.state,
            one.open_time,
            one.end_time,
            one.last_update,
            one.emissions_x64.to_bytes(16, "little"),
            one.emitted,
            one.claimed,
            one.mint,
            one.keys,
            one.growth_x64.to_bytes(16, "little"),
        )
        for one in rewards
    )


def updated(reward: Reward, liquidity: int, unix_timestamp: int) -> Reward:
    """Return the reward as it is at a time, `liquidity` having been in range since its last update."""
    if not reward.is_initialized or reward.emitted == U64_MAX or unix_timestamp <= reward.open_time:
        return reward
    now = min(unix_timestamp, reward.end_time)
    if liquidity:
        elapsed = max(0, now - reward.last_update)
        if elapsed == 0:
            return reward
        reward = _grown(reward, liquidity, elapsed)
    state = _ENDED if now == reward.end_time else _OPENING if now >= reward.open_time else reward.state
    return replace(reward, last_update=now, state=state)


def _grown(reward: Reward, liquidity: int, elapsed: int) -> Reward:
    emitted = mul_div_ceil(elapsed, reward.emissions_x64, Q64)
    growth = mul_div_floor(elapsed, reward.emissions_x64, liquidity)
    left = U64_MAX - reward.emitted
    if emitted > left:
        emitted, growth = left, mul_div_floor(left, Q64, liquidity)
    growth = growth if growth <= U128_MAX else 0
    return replace(reward, emitted=reward.emitted + emitted, growth_x64=(reward.growth_x64 + growth) & U128_MAX)
