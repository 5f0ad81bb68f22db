"""Methods that read token accounts."""

from collections.abc import Callable

from order_engine.papernet.encoding import ui_amount
from order_engine.papernet.images import TokenHolding, token_holding
from order_engine.papernet.rpc.accounts import show
from order_engine.papernet.rpc.errors import INVALID_PARAMS, RpcError, invalid_params
from order_engine.papernet.rpc.params import Options, Params
from order_engine.papernet.rpc.view import Node

_SUPPLY = slice(36, 44)


def get_token_account_balance(node: Node, params: Params) -> object:
    address, view = params.pubkey(0), node.view(params.options(1))
    account = view.account(address)
    if account is None:
        raise RpcError(INVALID_PARAMS, "Invalid param: could not find account")
    holding = token_holding(account)
    decimals = view.decimals(holding.mint) if holding is not None else None
    if holding is None or decimals is None:
        raise RpcError(INVALID_PARAMS, "Invalid param: not a Token account")
    return view.wrap(ui_amount(holding.amount, decimals))


def get_token_supply(node: Node, params: Params) -> object:
    mint, view = params.pubkey(0), node.view(params.options(1))
    account, decimals = view.account(mint), view.decimals(mint)
    if account is None or decimals is None or token_holding(account) is not None:
        raise RpcError(INVALID_PARAMS, "Invalid param: could not find mint")
    return view.wrap(ui_amount(int.from_bytes(bytes(account.data)[_SUPPLY], "little"), decimals))


def get_token_accounts_by_owner(node: Node, params: Params) -> object:
    owner, wanted, options = params.pubkey(0), _wanted(params.options(1)), params.options(2)
    view, form = node.view(options), options.account_format()
    found = []
    for address, account in node.network.bank.token_accounts(owner, view.height):
        holding = token_holding(account)
        if holding is not None and wanted(holding):
            found.append({"pubkey": str(address), "account": show(view, account, form)})
    return view.wrap(found)


def _wanted(choice: Options) -> Callable[[TokenHolding], bool]:
    mint, program = choice.pubkey("mint"), choice.pubkey("programId")
    if mint is not None:
        return lambda holding: holding.mint == mint
    if program is not None:
        return lambda holding: holding.program == program
    raise invalid_params("name a mint or a programId")
