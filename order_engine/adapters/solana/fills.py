"""What a landed transaction did to the wallet, from the balances the chain reports around it."""

from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.adapters.solana.replies import ConfirmedTransaction, TokenBalance
from order_engine.domain.order import Fill
from order_engine.domain.route import SwapTerms
from order_engine.domain.tokens import WRAPPED_SOL


def fill_of(transaction: ConfirmedTransaction, signature: Signature, swap: SwapTerms, wallet: Pubkey) -> Fill:
    """Amounts in base units: what left the wallet, fees of the chain aside, and what reached it."""
    return Fill(
        signature=signature,
        slot=transaction.slot,
        amount_in=-_gained(transaction, swap.token_in, wallet),
        amount_out=_gained(transaction, swap.token_out, wallet),
        fee_lamports=transaction.meta.fee,
    )


def _gained(transaction: ConfirmedTransaction, mint: Pubkey, wallet: Pubkey) -> int:
    if mint == WRAPPED_SOL:
        return _gained_lamports(transaction, wallet)
    meta, owner = transaction.meta, str(wallet)
    after = _held(meta.post_token_balances, str(mint), owner)
    return after - _held(meta.pre_token_balances, str(mint), owner)


def _held(balances: list[TokenBalance], mint: str, owner: str) -> int:
    return sum(int(one.ui_token_amount.amount) for one in balances if one.mint == mint and one.owner == owner)


def _gained_lamports(transaction: ConfirmedTransaction, wallet: Pubkey) -> int:
    """Count the wallet and its token accounts together: wrapped SOL and rent are still the wallet's own."""
    meta, owner = transaction.meta, str(wallet)
    ours = {one.account_index for one in (*meta.pre_token_balances, *meta.post_token_balances) if one.owner == owner}
    if owner in transaction.transaction.message.account_keys:
        ours.add(transaction.transaction.message.account_keys.index(owner))
    gained = sum(meta.post_balances[index] - meta.pre_balances[index] for index in ours)
    return gained + meta.fee  # the wallet pays the fee: it is reported apart
