"""Methods that read accounts."""

from collections.abc import Callable, Sequence
from typing import Final

from solders.account import Account

from order_engine.papernet.encoding import MAX_BASE58_BYTES, AccountFormat
from order_engine.papernet.images import rent_exempt_lamports, token_holding
from order_engine.papernet.rpc.errors import INVALID_REQUEST, RpcError, invalid_params
from order_engine.papernet.rpc.params import Options, Params, decode_bytes
from order_engine.papernet.rpc.view import Node, View

MAX_ACCOUNTS: Final = 100
_MAX_ACCOUNT_BYTES: Final = 10 * 2**20
_MAX_FILTERS: Final = 4


def show(view: View, account: Account | None, form: AccountFormat) -> dict[str, object] | None:
    """Return the account as the call wants to see it.

    Raises:
        RpcError: it is too large for base58.
    """
    is_base58 = form.encoding == "base58" and form.slice is None
    if account is not None and is_base58 and len(account.data) > MAX_BASE58_BYTES:
        message = "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding."
        raise RpcError(INVALID_REQUEST, message)
    holding = token_holding(account) if form.encoding == "jsonParsed" else None
    return form.show(account, view.decimals(holding.mint) if holding is not None else None)


def get_account_info(node: Node, params: Params) -> object:
    address, options = params.pubkey(0), params.options(1)
    view = node.view(options)
    return view.wrap(show(view, view.account(address), options.account_format()))


def get_multiple_accounts(node: Node, params: Params) -> object:
    addresses, options = params.pubkeys(0, MAX_ACCOUNTS), params.options(1)
    view, form = node.view(options), options.account_format()
    return view.wrap([show(view, view.account(address), form) for address in addresses])


def get_balance(node: Node, params: Params) -> object:
    address, view = params.pubkey(0), node.view(params.options(1))
    account = view.account(address)
    return view.wrap(account.lamports if account is not None else 0)


def get_program_accounts(node: Node, params: Params) -> object:
    program, options = params.pubkey(0), params.options(1)
    view, form = node.view(options), options.account_format()
    tests = _filters(options.array("filters"))
    found = [
        {"pubkey": str(address), "account": show(view, account, form)}
        for address, account in node.network.bank.owned_by(program, view.height)
        if _passes(account, tests)
    ]
    return view.wrap(found) if options.flag("withContext") else found


def get_minimum_balance_for_rent_exemption(node: Node, params: Params) -> object:
    size = params.uint(0, "data length")
    if size > _MAX_ACCOUNT_BYTES:
        raise invalid_params(f"an account holds at most {_MAX_ACCOUNT_BYTES} bytes")
    return rent_exempt_lamports(size)


_Test = Callable[[bytes], bool]


def _passes(account: Account, tests: Sequence[_Test]) -> bool:
    data = bytes(account.data)
    return all(test(data) for test in tests)


def _filters(filters: Sequence[object]) -> list[_Test]:
    if len(filters) > _MAX_FILTERS:
        raise invalid_params(f"Too many filters provided; max {_MAX_FILTERS}")
    return [_filter(Options.of(item, "filter")) for item in filters]


def _filter(options: Options) -> _Test:
    size = options.uint("dataSize")
    if size is not None:
        return lambda data: len(data) == size
    memcmp = options.options("memcmp")
    if memcmp is None:
        raise invalid_params("a filter is dataSize or memcmp")
    offset = memcmp.uint("offset") or 0
    text = memcmp.string("bytes")
    if text is None:
        raise invalid_params("memcmp needs bytes")
    wanted = decode_bytes(text, memcmp.string("encoding") or "base58")
    return lambda data: data[offset : offset + len(wanted)] == wanted
