"""Solana JSON-RPC: every endpoint reachable, on one chain that may be signed for, and not behind; and the balance."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from pydantic import TypeAdapter
from solders.hash import Hash

from order_engine.adapters.solana import replies
from order_engine.adapters.solana.json_rpc import JsonRpc, RpcError, http_session
from order_engine.adapters.solana.wallet import WalletFileError, load_keypair
from order_engine.cli.amounts import in_tokens, trimmed
from order_engine.cli.doctor.examination import Check, Subject, bad, good, idle
from order_engine.domain.errors import ChainUnavailable
from order_engine.domain.paper import is_paper_network

SLOTS_APART_AT_MOST: Final = 150  # as old as a blockhash may get
LAMPORTS_FOR_ONE_ORDER: Final = 5_000_000  # rent of token accounts, and fees
_SOL_DECIMALS: Final = 9
_BALANCE: Final = TypeAdapter(replies.WithContext[int])
_KNOWN_CHAINS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d": "mainnet",
        "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG": "devnet",
    }
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What one endpoint said of itself."""

    name: str
    genesis: Hash
    slot: int


async def check_chain(subject: Subject) -> list[Check]:
    if not subject.rpc_endpoints:
        return [idle("chain", "SOLANA_RPC_URL is not set: `up` starts the paper network")]
    if not all(map(_is_url, subject.rpc_endpoints)):
        return [bad("chain", "SOLANA_RPC_URL is no URL", "write https://HOST, several with commas between")]
    checks: list[Check] = []
    async with http_session(subject.timeout_seconds) as session:
        endpoints = [JsonRpc(url, session) for url in subject.rpc_endpoints]
        answers = await asyncio.gather(*map(_ask, endpoints))
        checks += [answer for answer in answers if isinstance(answer, Check)]
        answered = [answer for answer in answers if isinstance(answer, Endpoint)]
        if answered:
            checks += _examine(answered, subject)
            checks += await _balance(endpoints, subject)
    return checks


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False


async def _ask(rpc: JsonRpc) -> Endpoint | Check:
    mend = "start it, or correct SOLANA_RPC_URL; unset it to use the paper network"
    try:
        genesis = Hash.from_string(await rpc.call("getGenesisHash", [], replies.TEXT))
        health = await rpc.call("getHealth", [], replies.TEXT)
        epoch = await rpc.call("getEpochInfo", [{"commitment": "confirmed"}], replies.EPOCH_INFO)
    except ChainUnavailable as error:
        return bad("chain", error.message, mend)
    except (RpcError, ValueError) as error:
        return bad("chain", f"{rpc.name}: {error}", mend)
    if health != "ok":
        return bad("chain", f"{rpc.name} is {health}", "use another endpoint, or wait until it has caught up")
    return Endpoint(rpc.name, genesis, epoch.absolute_slot)


def _examine(endpoints: Sequence[Endpoint], subject: Subject) -> Iterator[Check]:
    for one in endpoints:
        yield good("chain", f"{one.name}, slot {one.slot}, healthy")
    genesis = {one.genesis for one in endpoints}
    if len(genesis) > 1:
        yield bad(
            "chain kind", "the endpoints are of different chains", "name endpoints of one chain in SOLANA_RPC_URL"
        )
    elif all(map(is_paper_network, genesis)):
        yield good("chain kind", "paper network: no real money")
    else:
        yield _live(str(endpoints[0].genesis), live_trading=subject.settings.live_trading)
    apart = max(one.slot for one in endpoints) - min(one.slot for one in endpoints)
    if apart > SLOTS_APART_AT_MOST:
        last = min(endpoints, key=lambda one: one.slot).name
        yield bad("chain lag", f"{last} is {apart} slots behind", f"take {last} out of SOLANA_RPC_URL")


def _live(genesis: str, *, live_trading: bool) -> Check:
    found = f"{_KNOWN_CHAINS.get(genesis, 'another chain')}, genesis hash {genesis}"
    if live_trading:
        return good("chain kind", f"{found}: LIVE_TRADING is on, orders spend real money")
    return bad("chain kind", f"{found}: workers refuse to start", "set LIVE_TRADING=true, or unset SOLANA_RPC_URL")


async def _balance(endpoints: Sequence[JsonRpc], subject: Subject) -> list[Check]:
    try:
        address = str(load_keypair(subject.settings.wallet_file).pubkey())
    except WalletFileError:
        return []  # told elsewhere
    for rpc in endpoints:
        try:
            reply = await rpc.call("getBalance", [address, {"commitment": "confirmed"}], _BALANCE)
        except (ChainUnavailable, RpcError):
            continue
        found = f"{trimmed(in_tokens(reply.value, _SOL_DECIMALS))} SOL"
        if reply.value < LAMPORTS_FOR_ONE_ORDER:
            mend = f"send it SOL; for the paper network: order-engine papernet --fund {address}"
            return [bad("wallet balance", f"{found}: too little for fees and rent", mend)]
        return [good("wallet balance", found)]
    return []
