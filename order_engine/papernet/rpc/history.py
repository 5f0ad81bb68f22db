"""Methods about transactions that landed."""

from base64 import b64encode
from typing import Final

import orjson
from base58 import b58encode
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from order_engine.papernet.genesis import FINALIZED_LAG, slot_of
from order_engine.papernet.journal import LandedTransaction, SignatureEntry
from order_engine.papernet.rpc.errors import UNSUPPORTED_VERSION, RpcError, invalid_params
from order_engine.papernet.rpc.params import Options, Params
from order_engine.papernet.rpc.transaction_json import message_json, parsed_message_json
from order_engine.papernet.rpc.view import Node, confirmation_of

_MAX_STATUSES: Final = 256
_MAX_SIGNATURES: Final = 1_000


def get_signature_statuses(node: Node, params: Params) -> object:
    signatures, options = params.signatures(0, _MAX_STATUSES), params.options(1)
    search_history = options.flag("searchTransactionHistory")
    view = node.view(Options({}), commitment="processed")
    entries = [node.status(signature, search_history=search_history) for signature in signatures]
    return view.wrap([None if entry is None else _status(entry, node.head - entry.height) for entry in entries])


def _status(entry: SignatureEntry, depth: int) -> dict[str, object]:
    return {
        "slot": slot_of(entry.height),
        "confirmations": None if depth >= FINALIZED_LAG else depth,
        "err": entry.error,
        "status": {"Ok": None} if entry.error is None else {"Err": entry.error},  # deprecated, and still needed
        "confirmationStatus": confirmation_of(depth),
    }


def get_signatures_for_address(node: Node, params: Params) -> object:
    address, options = params.pubkey(0), params.options(1)
    view = node.view(options)
    limit = options.uint("limit")
    if limit is not None and not 1 <= limit <= _MAX_SIGNATURES:
        raise invalid_params(f"Invalid limit; max {_MAX_SIGNATURES}")
    entries = node.network.journal.mentions(
        address,
        up_to=view.height,
        before=options.signature("before"),
        until=options.signature("until"),
        limit=limit or _MAX_SIGNATURES,
    )
    return [
        {
            "signature": str(entry.signature),
            "slot": slot_of(entry.height),
            "err": entry.error,
            "memo": None,
            "blockTime": entry.block_time,
            "confirmationStatus": confirmation_of(node.head - entry.height),
        }
        for entry in entries
    ]


def get_transaction(node: Node, params: Params) -> object:
    signature = params.signature(0)
    # the second parameter may be just the encoding
    bare = isinstance(params.optional(1), str)
    options = Options({"encoding": params.optional(1)}) if bare else params.options(1)
    view = node.view(options)
    landed = node.network.journal.find(signature)
    if landed is None or landed.height > view.height:
        return None
    return _shown(landed, options)


def _shown(landed: LandedTransaction, options: Options) -> dict[str, object]:
    transaction = VersionedTransaction.from_bytes(landed.raw)
    is_v0 = isinstance(transaction.message, MessageV0)
    if is_v0 and options.uint("maxSupportedTransactionVersion") is None:
        raise RpcError(
            UNSUPPORTED_VERSION,
            "Transaction version (0) is not supported by the requesting client. Please try the request again with"
            ' the following configuration parameter: "maxSupportedTransactionVersion": 0',
        )
    meta = orjson.loads(landed.meta)
    shown: dict[str, object] = {
        "slot": slot_of(landed.height),
        "blockTime": landed.block_time,
        "transaction": _body(transaction, landed.raw, meta, options.string("encoding") or "json"),
        "meta": meta,
    }
    if options.uint("maxSupportedTransactionVersion") is not None:
        shown["version"] = 0 if is_v0 else "legacy"
    return shown


def _body(transaction: VersionedTransaction, raw: bytes, meta: dict[str, object], encoding: str) -> object:
    signatures = [str(signature) for signature in transaction.signatures]
    match encoding:
        case "base64":
            return [b64encode(raw).decode(), "base64"]
        case "base58":
            return [b58encode(raw).decode(), "base58"]
        case "json":
            return {"signatures": signatures, "message": message_json(transaction)}
        case "jsonParsed":
            return {"signatures": signatures, "message": parsed_message_json(transaction, meta)}
        case _:
            raise invalid_params(f"unsupported encoding {encoding!r}; known are json, jsonParsed, base64, base58")
