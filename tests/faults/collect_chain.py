"""Reads the paper network itself, past every proxy: what landed for our wallet, and who holds how much."""

import base64
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final, cast

import httpx
from base58 import b58decode
from solders.pubkey import Pubkey

from tests.faults.evidence import Holdings, Landing

MEMO: Final = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
WRAPPED_SOL: Final = "So11111111111111111111111111111111111111112"
TOKEN_PROGRAMS: Final = (
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
)
_PAGE: Final = 1000
_ACCOUNT_BYTES: Final = 165
_IS_ACCOUNT: Final = 2  # the account type that follows them in Token-2022

Json = Mapping[str, object]


class ChainReader:
    def __init__(self, url: str, wallet: str) -> None:
        self._url, self._wallet = url, wallet
        self._tls = ssl.create_default_context()  # once: it takes longer than a call

    async def call(self, method: str, *params: object) -> object:
        async with httpx.AsyncClient(timeout=30, trust_env=False, verify=self._tls) as client:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            reply = (await client.post(self._url, json=body)).json()
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error']}")
        return reply["result"]

    async def holdings(self) -> Holdings:
        everywhere: Counter[str] = Counter()
        wallet: Counter[str] = Counter()
        for program in TOKEN_PROGRAMS:
            found = await self.call("getProgramAccounts", program, {"encoding": "base64", "commitment": "confirmed"})
            for mint, owner, amount, lamports in _token_accounts(cast(Sequence[Json], found)):
                if mint != WRAPPED_SOL:
                    everywhere[mint] += amount
                if owner == self._wallet:
                    wallet[WRAPPED_SOL] += lamports
                    wallet[mint] += 0 if mint == WRAPPED_SOL else amount
        balance = cast(Json, await self.call("getBalance", self._wallet, {"commitment": "confirmed"}))
        wallet[WRAPPED_SOL] += cast(int, balance["value"])
        return Holdings(everywhere=everywhere, wallet=wallet)

    async def landings(self) -> Sequence[Landing]:
        """Return every transaction that our wallet paid for."""
        found: list[Landing] = []
        async for signature in self._signatures():
            options = {"encoding": "json", "maxSupportedTransactionVersion": 0, "commitment": "confirmed"}
            landing = _landing(
                signature, cast(Json, await self.call("getTransaction", signature, options)), self._wallet
            )
            if landing is not None:
                found.append(landing)
        return found

    async def _signatures(self) -> AsyncIterator[str]:
        options: dict[str, object] = {"limit": _PAGE, "commitment": "confirmed"}
        while True:
            page = cast(Sequence[Json], await self.call("getSignaturesForAddress", self._wallet, options))
            for entry in page:
                yield cast(str, entry["signature"])
            if len(page) < _PAGE:
                return
            options["before"] = page[-1]["signature"]


def _token_accounts(accounts: Sequence[Json]) -> Iterator[tuple[str, str, int, int]]:
    """Yield mint, owner, amount and lamports."""
    for entry in accounts:
        account = cast(Json, entry["account"])
        data = base64.b64decode(cast(Sequence[str], account["data"])[0])
        if len(data) == _ACCOUNT_BYTES or (len(data) > _ACCOUNT_BYTES and data[_ACCOUNT_BYTES] == _IS_ACCOUNT):
            mint, owner = Pubkey(data[:32]), Pubkey(data[32:64])
            yield str(mint), str(owner), int.from_bytes(data[64:72], "little"), cast(int, account["lamports"])


def _landing(signature: str, shown: Json, wallet: str) -> Landing | None:
    message = cast(Json, cast(Json, shown["transaction"])["message"])
    keys = cast(Sequence[str], message["accountKeys"])
    if keys[0] != wallet:
        return None
    meta = cast(Json, shown["meta"])
    order_id, attempt = _memo(keys, cast(Sequence[Json], message["instructions"]))
    return Landing(
        signature=signature,
        order_id=order_id,
        attempt=attempt,
        succeeded=meta["err"] is None,
        slot=cast(int, shown["slot"]),
        fee=cast(int, meta["fee"]),
        deltas=_deltas(keys, meta, wallet),
    )


def _memo(keys: Sequence[str], instructions: Sequence[Json]) -> tuple[str, int]:
    for instruction in instructions:
        if keys[cast(int, instruction["programIdIndex"])] == MEMO:
            order_id, _, attempt = b58decode(cast(str, instruction["data"])).decode().partition(":")
            return order_id, int(attempt or 0)
    return "", 0


def _deltas(keys: Sequence[str], meta: Json, wallet: str) -> Mapping[str, int]:
    deltas: Counter[str] = Counter()
    ours = {keys.index(wallet)}
    for side, sign in (("preTokenBalances", -1), ("postTokenBalances", 1)):
        for balance in cast(Sequence[Json], meta[side]):
            if balance["owner"] == wallet:
                ours.add(cast(int, balance["accountIndex"]))
                if balance["mint"] != WRAPPED_SOL:
                    amount = cast(Mapping[str, str], balance["uiTokenAmount"])["amount"]
                    deltas[cast(str, balance["mint"])] += sign * int(amount)
    before, after = (cast(Sequence[int], meta[side]) for side in ("preBalances", "postBalances"))
    deltas[WRAPPED_SOL] += sum(after[index] - before[index] for index in ours) + cast(int, meta["fee"])
    return deltas
