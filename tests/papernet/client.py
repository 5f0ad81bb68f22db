"""A raw JSON-RPC client for tests, and the transactions that they send."""

import itertools
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from order_engine.domain.pool import Account, AccountSnapshot, Pool, Quote, SwapRequest, Trader
from order_engine.domain.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    TOKEN_PROGRAM,
    TOKENS_BY_MINT,
    WRAPPED_SOL,
    associated_token_address,
)

CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
CONFIRMED = {"commitment": "confirmed"}
PROCESSED = {"commitment": "processed"}


class Refused(Exception):
    def __init__(self, error: dict) -> None:
        super().__init__(str(error))
        self.code, self.message, self.data = error["code"], error["message"], error.get("data")


class PaperRpc:
    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url, self._http, self._ids = url, http, itertools.count(1)

    async def call(self, method: str, *params: object):
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        reply = (await self._http.post(self.url, json=request)).raise_for_status().json()
        assert reply["id"] == request["id"]
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["result"]

    async def post(self, content: bytes) -> httpx.Response:
        return await self._http.post(self.url, content=content)

    async def advance(self, slots: int) -> int:
        return await self.call("paperAdvance", slots)

    async def blockhash(self, commitment: str = "processed") -> tuple[Hash, int]:
        value = (await self.call("getLatestBlockhash", {"commitment": commitment}))["value"]
        return Hash.from_string(value["blockhash"]), value["lastValidBlockHeight"]

    async def send(self, transaction: VersionedTransaction, **options: object) -> str:
        config = {"encoding": "base64", "skipPreflight": True, **options}
        return await self.call("sendTransaction", b64encode(bytes(transaction)).decode(), config)

    async def simulate(self, transaction: VersionedTransaction, **options: object) -> dict:
        config = {"encoding": "base64", "commitment": "processed", **options}
        return (await self.call("simulateTransaction", b64encode(bytes(transaction)).decode(), config))["value"]

    async def status(self, signature: str) -> dict | None:
        options = {"searchTransactionHistory": True}
        return (await self.call("getSignatureStatuses", [signature], options))["value"][0]

    async def land(self, transaction: VersionedTransaction) -> dict:
        """Send, let one slot go by, and return the status; there must be one."""
        signature = await self.send(transaction)
        await self.advance(1)
        status = await self.status(signature)
        assert status is not None
        return status

    async def statuses(self, signatures: Sequence[str]) -> list[dict | None]:
        return (await self.call("getSignatureStatuses", list(signatures)))["value"]

    async def lamports(self, address: Pubkey) -> int:
        return (await self.call("getBalance", str(address), PROCESSED))["value"]

    async def accounts(self, addresses: Sequence[Pubkey]) -> list[Account | None]:
        shown = (await self.call("getMultipleAccounts", list(map(str, addresses)), PROCESSED))["value"]
        return [None if account is None else account_of(account) for account in shown]

    async def tokens(self, owner: Pubkey, mint: Pubkey) -> int:
        token = TOKENS_BY_MINT[mint]
        (account,) = await self.accounts([associated_token_address(owner, mint, token.token_program)])
        return 0 if account is None else int.from_bytes(account.data[64:72], "little")

    async def pool(self, venue: type[Pool], mint_a: Pubkey, mint_b: Pubkey) -> Pool:
        found = []
        for account_filter in venue.discovery_filters(mint_a, mint_b):
            memcmp = [
                {"memcmp": {"offset": at, "bytes": b64encode(data).decode(), "encoding": "base64"}}
                for at, data in account_filter.memcmp
            ]
            filters = [{"dataSize": account_filter.data_size}, *memcmp]
            config = {"encoding": "base64", "filters": filters, "commitment": "processed"}
            found += await self.call("getProgramAccounts", str(venue.PROGRAM_ID), config)
        (entry,) = found
        return await self.decoded(venue, Pubkey.from_string(entry["pubkey"]))

    async def decoded(self, venue: type[Pool], address: Pubkey) -> Pool:
        (account,) = await self.accounts([address])
        assert account is not None
        keys = [address, *venue.dependencies(address, account)]
        reply = await self.call("getMultipleAccounts", list(map(str, [*keys, CLOCK])), PROCESSED)
        clock = b64decode(reply["value"][-1]["data"][0])
        accounts = {key: account_of(shown) for key, shown in zip(keys, reply["value"][:-1], strict=True) if shown}
        assert int.from_bytes(clock[:8], "little") == reply["context"]["slot"]
        snapshot = AccountSnapshot(
            slot=reply["context"]["slot"],
            unix_timestamp=int.from_bytes(clock[32:40], "little"),
            epoch=int.from_bytes(clock[16:24], "little"),
            accounts=accounts,
        )
        return venue.decode(address, snapshot)


def account_of(shown: dict) -> Account:
    data = b64decode(shown["data"][0])
    return Account(owner=Pubkey.from_string(shown["owner"]), lamports=shown["lamports"], data=data)


def signed(payer: Keypair, instructions: Sequence[Instruction], blockhash: Hash) -> VersionedTransaction:
    return VersionedTransaction(MessageV0.try_compile(payer.pubkey(), instructions, [], blockhash), [payer])


def pay(payer: Keypair, to: Pubkey, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))


@dataclass(frozen=True, kw_only=True)
class Swap:
    """A swap between tokens of one wallet, SOL wrapped and unwrapped around it."""

    wallet: Pubkey
    pool: Pool
    quote: Quote
    min_amount_out: int

    def instructions(self) -> list[Instruction]:
        programs = dict(zip(self.pool.mints, self.pool.token_programs, strict=True))
        token_in, token_out = self.quote.token_in, self.quote.token_out
        source, target = (associated_token_address(self.wallet, m, programs[m]) for m in (token_in, token_out))
        trader = Trader(owner=self.wallet, token_account_in=source, token_account_out=target)
        steps = [create_token_account(self.wallet, target, token_out, programs[token_out])]
        if token_in == WRAPPED_SOL:
            steps += [
                create_token_account(self.wallet, source, token_in, TOKEN_PROGRAM),
                transfer(TransferParams(from_pubkey=self.wallet, to_pubkey=source, lamports=self.quote.amount_in)),
                Instruction(TOKEN_PROGRAM, b"\x11", [AccountMeta(source, False, True)]),
            ]
        steps.append(self.pool.swap_instruction(self.quote, self.min_amount_out, trader))
        for mint, address in ((token_in, source), (token_out, target)):
            if mint == WRAPPED_SOL:
                steps.append(_close(self.wallet, address))
        return steps


def swap_of(pool: Pool, wallet: Pubkey, token_in: Pubkey, token_out: Pubkey, amount_in: int) -> Swap:
    quote = pool.quote(SwapRequest(token_in=token_in, token_out=token_out, amount_in=amount_in))
    return Swap(wallet=wallet, pool=pool, quote=quote, min_amount_out=quote.amount_out)


def create_token_account(owner: Pubkey, address: Pubkey, mint: Pubkey, program: Pubkey) -> Instruction:
    metas = [
        AccountMeta(owner, True, True),
        AccountMeta(address, False, True),
        AccountMeta(owner, False, False),
        AccountMeta(mint, False, False),
        AccountMeta(Pubkey.default(), False, False),
        AccountMeta(program, False, False),
    ]
    return Instruction(ASSOCIATED_TOKEN_PROGRAM, b"\x01", metas)


def _close(owner: Pubkey, address: Pubkey) -> Instruction:
    metas = [AccountMeta(address, False, True), AccountMeta(owner, False, True), AccountMeta(owner, True, False)]
    return Instruction(TOKEN_PROGRAM, b"\x09", metas)
