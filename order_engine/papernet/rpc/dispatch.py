"""From request bytes to reply bytes. Whatever comes in, a JSON-RPC reply goes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import orjson
import structlog

from order_engine.papernet.rpc import accounts, cluster, control, history, sending, tokens
from order_engine.papernet.rpc.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcError,
)
from order_engine.papernet.rpc.params import Params
from order_engine.papernet.rpc.view import Node

MAX_BATCH: Final = 1_000
Method = Callable[[Node, Params], object]
METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "getAccountInfo": accounts.get_account_info,
        "getMultipleAccounts": accounts.get_multiple_accounts,
        "getBalance": accounts.get_balance,
        "getProgramAccounts": accounts.get_program_accounts,
        "getMinimumBalanceForRentExemption": accounts.get_minimum_balance_for_rent_exemption,
        "getTokenAccountBalance": tokens.get_token_account_balance,
        "getTokenAccountsByOwner": tokens.get_token_accounts_by_owner,
        "getTokenSupply": tokens.get_token_supply,
        "getLatestBlockhash": cluster.get_latest_blockhash,
        "isBlockhashValid": cluster.is_blockhash_valid,
        "getBlockHeight": cluster.get_block_height,
        "getBlockTime": cluster.get_block_time,
        "getEpochInfo": cluster.get_epoch_info,
        "getSlot": cluster.get_slot,
        "getGenesisHash": cluster.get_genesis_hash,
        "getHealth": cluster.get_health,
        "getVersion": cluster.get_version,
        "sendTransaction": sending.send_transaction,
        "simulateTransaction": sending.simulate_transaction,
        "getFeeForMessage": sending.get_fee_for_message,
        "requestAirdrop": sending.request_airdrop,
        "getSignatureStatuses": history.get_signature_statuses,
        "getSignaturesForAddress": history.get_signatures_for_address,
        "getTransaction": history.get_transaction,
        "paperSetFaults": control.set_faults,
        "paperSetFailureRate": control.set_failure_rate,
        "paperAdvance": control.advance,
        "paperState": control.state,
    }
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """The parsed body of one HTTP request."""

    body: object
    error: RpcError | None = None

    @classmethod
    def parse(cls, raw: bytes) -> "Call":
        try:
            return cls(orjson.loads(raw))
        except orjson.JSONDecodeError:
            return cls(None, RpcError(PARSE_ERROR, "Parse error"))

    @property
    def is_control(self) -> bool:
        """The network's own methods are exempt from its faults."""
        method = self.body.get("method") if isinstance(self.body, dict) else None
        return isinstance(method, str) and method.startswith(control.PREFIX)

    def answer(self, node: Node) -> bytes:
        """Return the reply; nothing for notifications alone."""
        reply = self._answer(node)
        return b"" if reply is None else orjson.dumps(reply)

    def _answer(self, node: Node) -> object:
        if self.error is not None:
            return _failed(None, self.error)
        if not isinstance(self.body, list):
            return _answer_one(node, self.body)
        if not 0 < len(self.body) <= MAX_BATCH:
            return _failed(None, RpcError(INVALID_REQUEST, f"a batch holds 1 to {MAX_BATCH} requests"))
        replies = [reply for item in self.body if (reply := _answer_one(node, item)) is not None]
        return replies or None


def _answer_one(node: Node, request: object) -> dict[str, object] | None:
    request_id: object = None
    try:
        if not isinstance(request, dict):
            raise RpcError(INVALID_REQUEST, "a request is an object")
        request_id = _request_id(request)
        result = _result(node, request)
    except RpcError as error:
        return _failed(request_id, error)
    if "id" not in request:
        return None
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def _result(node: Node, request: dict[str, object]) -> object:
    name = request.get("method")
    if request.get("jsonrpc") != "2.0" or not isinstance(name, str):
        raise RpcError(INVALID_REQUEST, 'a request has "jsonrpc": "2.0" and a method')
    method = METHODS.get(name)
    if method is None:
        raise RpcError(METHOD_NOT_FOUND, "Method not found")
    params = Params(request.get("params"))
    try:
        return method(node, params)
    except RpcError:
        raise
    except Exception as error:
        _log.exception("papernet_method_failed", method=name)
        raise RpcError(INTERNAL_ERROR, "Internal error") from error


def _request_id(request: dict[str, object]) -> object:
    request_id = request.get("id")
    if isinstance(request_id, bool) or not isinstance(request_id, str | int | float | None):
        raise RpcError(INVALID_REQUEST, "id must be a string, a number or null")
    return request_id


def _failed(request_id: object, error: RpcError) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": request_id, "error": error.as_json()}
