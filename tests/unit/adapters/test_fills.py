"""What a landed transaction did to the wallet, out of the balances around it."""

import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.adapters.solana.fills import fill_of
from order_engine.adapters.solana.replies import ConfirmedTransaction
from order_engine.domain.pool import SwapRequest
from order_engine.domain.tokens import WRAPPED_SOL

WALLET, USDC, OTHER = (Pubkey([n] * 32) for n in (7, 8, 9))
SIGNATURE = Signature(bytes([5] * 64))
RENT, FEE = 2_039_280, 7_000


def balance(index: int, amount: int, mint: Pubkey = USDC, owner: Pubkey = WALLET) -> dict[str, object]:
    return {
        "accountIndex": index,
        "mint": str(mint),
        "owner": str(owner),
        "uiTokenAmount": {"amount": str(amount)},
    }


def transaction(
    lamports: list[tuple[int, int]], before: list[dict[str, object]], after: list[dict[str, object]]
) -> ConfirmedTransaction:
    return ConfirmedTransaction.model_validate(
        {
            "slot": 99,
            "meta": {
                "err": None,
                "fee": FEE,
                "preBalances": [one for one, _ in lamports],
                "postBalances": [one for _, one in lamports],
                "preTokenBalances": before,
                "postTokenBalances": after,
            },
            "transaction": {"message": {"accountKeys": [str(WALLET), str(Pubkey([1] * 32)), str(Pubkey([2] * 32))]}},
        }
    )


def test_selling_sol_leaves_fee_and_rent_of_a_new_token_account_out_of_the_amount() -> None:
    landed = transaction(
        [(10_000_000_000, 10_000_000_000 - 1_000_000_000 - FEE - RENT), (0, RENT), (50, 1_000_000_050)],
        [balance(2, 500, owner=OTHER)],
        [balance(1, 37_000_000), balance(2, 400, owner=OTHER)],
    )
    fill = fill_of(landed, SIGNATURE, SwapRequest(token_in=WRAPPED_SOL, token_out=USDC, amount_in=10**9), WALLET)
    assert (fill.amount_in, fill.amount_out, fill.fee_lamports, fill.slot) == (10**9, 37_000_000, FEE, 99)


def test_buying_sol_counts_what_reached_the_wallet_before_the_fee() -> None:
    landed = transaction(
        [(5_000_000, 5_000_000 + 700_000 - FEE), (RENT, RENT), (0, 0)], [balance(1, 90)], [balance(1, 40)]
    )
    fill = fill_of(landed, SIGNATURE, SwapRequest(token_in=USDC, token_out=WRAPPED_SOL, amount_in=50), WALLET)
    assert (fill.amount_in, fill.amount_out) == (50, 700_000)


@pytest.mark.parametrize("kept", [0, 123])
def test_wrapped_sol_the_wallet_already_held_is_not_taken_for_proceeds(kept: int) -> None:
    """A wrapped account with `kept` lamports is closed along: they move inside the wallet."""
    before = [balance(1, 90), *([balance(2, kept, WRAPPED_SOL)] if kept else [])]
    old = RENT + kept if kept else 0
    landed = transaction(
        [(5_000_000, 5_000_000 + 700_000 + old - FEE), (RENT, RENT), (old, 0)], before, [balance(1, 40)]
    )
    fill = fill_of(landed, SIGNATURE, SwapRequest(token_in=USDC, token_out=WRAPPED_SOL, amount_in=50), WALLET)
    assert fill.amount_out == 700_000
