"""The chain as one node shows it at one commitment."""

import struct
from dataclasses import dataclass
from typing import Final

from solders.account import Account
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.papernet.genesis import CONFIRMED_LAG, FINALIZED_LAG, slot_of
from order_engine.papernet.images import image
from order_engine.papernet.journal import SignatureEntry
from order_engine.papernet.network import Network
from order_engine.papernet.rpc.errors import MIN_CONTEXT_SLOT_NOT_REACHED, RpcError
from order_engine.papernet.rpc.params import Options

API_VERSION: Final = "3.1.8"
CLOCK: Final = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
_SYSVAR_OWNER: Final = Pubkey.from_string("Sysvar1111111111111111111111111111111111111")
_CLOCK_DATA: Final = struct.Struct("<QqQQq")  # slot, epoch start, epoch, leader schedule epoch, unix timestamp
_LAG: Final = {"processed": 0, "confirmed": CONFIRMED_LAG, "finalized": FINALIZED_LAG}
_MINT_DECIMALS: Final = 44


@dataclass(frozen=True, slots=True)
class View:
    network: Network
    height: int

    @property
    def slot(self) -> int:
        return slot_of(self.height)

    def wrap(self, value: object) -> dict[str, object]:
        return {"context": {"apiVersion": API_VERSION, "slot": self.slot}, "value": value}

    def account(self, address: Pubkey) -> Account | None:
        if address == CLOCK:
            return self._clock()
        return self.network.bank.account(address, self.height)

    def decimals(self, mint: Pubkey) -> int | None:
        account = self.account(mint)
        data = bytes(account.data) if account is not None else b""
        return data[_MINT_DECIMALS] if len(data) > _MINT_DECIMALS else None

    def _clock(self) -> Account:
        clock = self.network.heights.clock(self.height)
        data = _CLOCK_DATA.pack(
            clock.slot, clock.epoch_start_timestamp, clock.epoch, clock.leader_schedule_epoch, clock.unix_timestamp
        )
        return image(_SYSVAR_OWNER, data)


@dataclass(frozen=True, slots=True)
class Node:
    """Who answers a request: it may be some slots behind the network's head."""

    network: Network
    lag: int

    @property
    def head(self) -> int:
        return self.network.head - self.lag

    def view(self, options: Options, *, commitment: str | None = None) -> View:
        """Return the view a call asks for.

        Raises:
            RpcError: it has not reached minContextSlot.
        """
        view = View(self.network, self.head - _LAG[commitment or options.commitment()])
        if (options.uint("minContextSlot") or 0) > view.slot:
            raise RpcError(
                MIN_CONTEXT_SLOT_NOT_REACHED,
                "Minimum context slot has not been reached",
                {"contextSlot": view.slot},
            )
        return view

    def status(self, signature: Signature, *, search_history: bool) -> SignatureEntry | None:
        """Return what this node knows of a signature."""
        entry = self.network.landed.find(signature, search_history=search_history)
        return entry if entry is not None and entry.height <= self.head else None


def confirmation_of(depth: int) -> str:
    if depth >= FINALIZED_LAG:
        return "finalized"
    return "confirmed" if depth >= CONFIRMED_LAG else "processed"
