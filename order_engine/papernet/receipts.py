"""The meta object of getTransaction, made when a transaction lands."""

import orjson
from solders.account import Account

from order_engine.papernet.encoding import ui_amount
from order_engine.papernet.images import token_holding
from order_engine.papernet.machine import Machine
from order_engine.papernet.results import Execution

_MINT_DECIMALS = 44


def meta_json(execution: Execution, machine: Machine) -> bytes:
    keys = execution.keys
    loaded = list(zip(keys.addresses, keys.writable, strict=True))[keys.static_count :]
    return orjson.dumps(
        {
            "err": execution.error,
            "status": {"Ok": None} if execution.error is None else {"Err": execution.error},
            "fee": execution.fee_lamports,
            "preBalances": _lamports(execution.before),
            "postBalances": _lamports(execution.after),
            "preTokenBalances": _token_balances(execution.before, machine),
            "postTokenBalances": _token_balances(execution.after, machine),
            "innerInstructions": [],
            "logMessages": execution.logs,
            "rewards": [],
            "computeUnitsConsumed": execution.compute_units,
            "loadedAddresses": {
                "writable": [str(address) for address, writable in loaded if writable],
                "readonly": [str(address) for address, writable in loaded if not writable],
            },
        }
    )


def _lamports(accounts: tuple[Account | None, ...]) -> list[int]:
    return [account.lamports if account is not None else 0 for account in accounts]


def _token_balances(accounts: tuple[Account | None, ...], machine: Machine) -> list[dict[str, object]]:
    balances = []
    for index, account in enumerate(accounts):
        holding = token_holding(account)
        mint = machine.account(holding.mint) if holding is not None else None
        if holding is None or mint is None:
            continue
        balance: dict[str, object] = {
            "accountIndex": index,
            "mint": str(holding.mint),
            "owner": str(holding.owner),
            "programId": str(holding.program),
            "uiTokenAmount": ui_amount(holding.amount, bytes(mint.data)[_MINT_DECIMALS]),
        }
        balances.append(balance)
    return balances
