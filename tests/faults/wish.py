"""What a user wants of the engine, decided by the seed and a number alone."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from protos.order_engine.v1 import order_service_pb2 as pb

DOLLAR: Final = {  # of each token: its decimals, and about one dollar of it in base units
    "SOL": (9, 6_666_667),
    "USDC": (6, 1_000_000),
    "USDT": (6, 1_000_000),
    "PYUSD": (6, 1_000_000),
    "JUP": (6, 2_000_000),
    "RAY": (6, 400_000),
    "BONK": (5, 5_000_000_000),
    "mSOL": (9, 5_263_158),
}
PAIRS: Final = (  # with a pool of their own
    ("SOL", "USDC"),
    ("USDC", "SOL"),
    ("SOL", "USDT"),
    ("USDT", "USDC"),
    ("JUP", "SOL"),
    ("SOL", "BONK"),
    ("RAY", "USDC"),
    ("PYUSD", "USDC"),
    ("mSOL", "SOL"),
)
FAR_PAIRS: Final = (  # two or three hops apart
    ("BONK", "USDC"),
    ("USDC", "BONK"),
    ("PYUSD", "BONK"),
    ("BONK", "PYUSD"),
    ("RAY", "JUP"),
    ("JUP", "RAY"),
    ("mSOL", "PYUSD"),
)
THIN_PAIRS: Final = (("RAY", "USDC"), ("USDC", "RAY"), ("BONK", "SOL"), ("SOL", "BONK"), ("JUP", "SOL"), ("SOL", "JUP"))
WIDE_GUARDS: Final = (
    {"max_price_impact_bps": 5_000},
    {"max_total_fee_lamports": 10**8},
    {"max_quote_age_slots": 10**6},
)
NARROW_GUARDS: Final = ({"max_price_impact_bps": 0}, {"max_total_fee_lamports": 5_000}, {"max_quote_age_slots": 1})
SAME_KEY_CLIENTS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One order as its user wants it. The classic HTTP API knows neither exact outputs nor guards."""

    request_id: str
    token_in: str
    token_out: str
    exact_out: bool
    amount: int  # base units: of token_out if exact_out, else of token_in
    slippage_bps: int
    guards: Mapping[str, int]
    classic: bool
    clients: int  # that send the same request at once
    cancel_after: float | None
    watchers: tuple[str, ...]

    @classmethod
    def numbered(cls, seed: int, number: int) -> Wish:
        dice = random.Random(f"{seed}:{number}")  # noqa: S311 - not a secret
        kinds = ("grpc", "grpc", "classic", "classic", "slow", "vanishing", "classic slow", "classic vanishing")
        classic = dice.random() < 0.3
        (token_in, token_out), dollars = _trade(dice)
        exact_out = not classic and dice.random() < 0.35
        _, dollar = DOLLAR[token_out if exact_out else token_in]
        return cls(
            request_id=f"fault-{seed}-{number}",
            token_in=token_in,
            token_out=token_out,
            exact_out=exact_out,
            amount=dollar * dollars + dice.randint(0, 999),
            slippage_bps=dice.choice((50, 50, 50, 200, 5, 1)),
            guards={} if classic else _guards(dice),
            classic=classic,
            clients=SAME_KEY_CLIENTS if dice.random() < 0.03 else 1,
            cancel_after=dice.random() if dice.random() < 0.2 else None,
            watchers=tuple(dice.sample(kinds, dice.choice((1, 1, 2)))),
        )

    def as_request(self) -> pb.SubmitOrderRequest:
        mode = pb.SWAP_MODE_EXACT_OUT if self.exact_out else pb.SWAP_MODE_UNSPECIFIED
        return pb.SubmitOrderRequest(
            request_id=self.request_id,
            token_in=self.token_in,
            token_out=self.token_out,
            swap_mode=mode,
            amount_in=0 if self.exact_out else self.amount,
            amount_out=self.amount if self.exact_out else 0,
            slippage_bps=self.slippage_bps,
            max_price_impact_bps=self.guards.get("max_price_impact_bps"),
            max_total_fee_lamports=self.guards.get("max_total_fee_lamports"),
            max_quote_age_slots=self.guards.get("max_quote_age_slots"),
        )

    def as_classic_body(self) -> Mapping[str, object]:
        decimals, _ = DOLLAR[self.token_in]
        whole, part = divmod(self.amount, 10**decimals)
        return {
            "tokenIn": self.token_in,
            "tokenOut": self.token_out,
            "amountIn": f"{whole}.{part:0{decimals}d}",
            "slippage": self.slippage_bps / 10_000,
        }


def _trade(dice: random.Random) -> tuple[tuple[str, str], int]:
    """Return a pair and how many dollars: a large trade on a thin pair is best split over its pools."""
    kind = dice.random()
    if kind < 0.15:
        return dice.choice(THIN_PAIRS), dice.randint(800, 4_000)
    return dice.choice(FAR_PAIRS if kind < 0.4 else PAIRS), dice.randint(1, 40)


def _guards(dice: random.Random) -> Mapping[str, int]:
    """Return guards that hold, now and then one that is likely to be broken, mostly none."""
    kind = dice.random()
    if kind < 0.04:
        return dice.choice(NARROW_GUARDS)
    return dice.choice(WIDE_GUARDS) if kind < 0.25 else {}
