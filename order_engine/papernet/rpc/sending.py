"""Methods that take transactions."""

from solders.message import Message, MessageV0, from_bytes_versioned
from solders.signature import Signature
from solders.transaction import SanitizeError, VersionedTransaction

from order_engine.papernet.fees import compute_budget
from order_engine.papernet.genesis import BLOCKHASH_VALID_BLOCKS
from order_engine.papernet.network import Preview
from order_engine.papernet.outcome import describe
from order_engine.papernet.rpc.accounts import show
from order_engine.papernet.rpc.errors import (
    PREFLIGHT_FAILURE,
    SIGNATURE_VERIFICATION_FAILURE,
    RpcError,
    invalid_params,
)
from order_engine.papernet.rpc.params import Options, Params, decode_bytes
from order_engine.papernet.rpc.view import Node, View
from order_engine.papernet.transactions import BadSignature, MalformedTransaction, parse, verify
from order_engine.papernet.treasury import airdrop


def send_transaction(node: Node, params: Params) -> object:
    text, options = params.string(0, "transaction"), params.options(1)
    raw = decode_bytes(text, options.string("encoding") or "base58")
    transaction = _parsed(raw)
    _verified(transaction)
    view = node.view(options, commitment=options.commitment("preflightCommitment"))
    options.uint("maxRetries")
    if not options.flag("skipPreflight"):
        preview = node.network.preview(transaction)
        if preview.error is not None:
            message = f"Transaction simulation failed: {describe(preview.error)}"
            raise RpcError(PREFLIGHT_FAILURE, message, _report(view, preview, Options({})))
    node.network.accept(transaction, raw)
    return str(transaction.signatures[0])


def simulate_transaction(node: Node, params: Params) -> object:
    text, options = params.string(0, "transaction"), params.options(1)
    transaction = _parsed(decode_bytes(text, options.string("encoding") or "base58"))
    replaces = options.flag("replaceRecentBlockhash")
    if options.flag("sigVerify"):
        if replaces:
            raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
        _verified(transaction)
    view = node.view(options)
    preview = node.network.preview(_named(transaction), check_blockhash=not replaces)
    report = _report(view, preview, options)
    if replaces:
        blockhash, last = node.network.heights.blockhash(view.height), view.height + BLOCKHASH_VALID_BLOCKS
        report["replacementBlockhash"] = {"blockhash": str(blockhash), "lastValidBlockHeight": last}
    return view.wrap(report)


def get_fee_for_message(node: Node, params: Params) -> object:
    raw, view = decode_bytes(params.string(0, "message"), "base64"), node.view(params.options(1))
    try:
        message = from_bytes_versioned(raw)
        message.sanitize() if isinstance(message, MessageV0) else None
    except (ValueError, SanitizeError) as error:
        raise invalid_params(f"failed to deserialize message: {error}") from error
    if not isinstance(message, Message | MessageV0):
        raise invalid_params("this message version is not supported")
    if not node.network.heights.is_valid(message.recent_blockhash, view.height):
        return view.wrap(None)
    keys = message.account_keys
    if any(instruction.program_id_index >= len(keys) for instruction in message.instructions):
        raise invalid_params("failed to sanitize message: index out of bounds")
    budget = compute_budget((keys[ix.program_id_index], bytes(ix.data)) for ix in message.instructions)
    return view.wrap(budget.fee_lamports(message.header.num_required_signatures))


def request_airdrop(node: Node, params: Params) -> object:
    to, lamports = params.pubkey(0), params.uint(1, "lamports")
    network = node.network
    if lamports > network.rules.airdrop_max_lamports:
        raise invalid_params(f"at most {network.rules.airdrop_max_lamports} lamports per airdrop")
    transaction = airdrop(network.faucet, to, lamports, network.heights.blockhash(network.head))
    preview = network.preview(transaction)
    if preview.error is not None:
        raise invalid_params(f"the airdrop would fail: {describe(preview.error)}")
    network.accept(transaction, bytes(transaction))
    return str(transaction.signatures[0])


def _parsed(raw: bytes) -> VersionedTransaction:
    try:
        return parse(raw)
    except MalformedTransaction as error:
        raise invalid_params(str(error)) from error


def _verified(transaction: VersionedTransaction) -> None:
    try:
        verify(transaction)
    except BadSignature as error:
        raise RpcError(SIGNATURE_VERIFICATION_FAILURE, str(error)) from error


def _named(transaction: VersionedTransaction) -> VersionedTransaction:
    """Give an unsigned transaction a signature to run under: the machine tells a refused one by its absence."""
    if transaction.signatures[0] != Signature.default():
        return transaction
    count = len(transaction.signatures)
    return VersionedTransaction.populate(transaction.message, [Signature.from_bytes(b"\x01" * 64)] * count)


def _report(view: View, preview: Preview, options: Options) -> dict[str, object]:
    execution = preview.execution
    return {
        "err": preview.error,
        "logs": list(execution.logs) if execution is not None else [],
        "accounts": _accounts(view, preview, options),
        "unitsConsumed": execution.compute_units if execution is not None else 0,
        "returnData": None,
        "innerInstructions": None,
        "fee": execution.fee_lamports if execution is not None else None,
    }


def _accounts(view: View, preview: Preview, options: Options) -> object:
    wanted = options.options("accounts")
    if wanted is None:
        return None
    addresses = Params([wanted.array("addresses")]).pubkeys(0, 64)
    if preview.execution is None or preview.error is not None:
        return [None] * len(addresses)
    after = dict(zip(preview.execution.keys.addresses, preview.execution.after, strict=True))
    form = wanted.account_format()
    return [show(view, after.get(address, view.account(address)), form) for address in addresses]
