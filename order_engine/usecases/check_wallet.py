"""Tell at once what only the chain knows: whether both tokens exist and the wallet holds what the order spends."""

from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.errors import InsufficientFunds, PoolUnreadable, UnknownMint
from order_engine.domain.order import Order
from order_engine.domain.pool import AccountSnapshot
from order_engine.domain.tokens import (
    TOKEN_2022_PROGRAM,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
    TOKEN_PROGRAM,
    TOKENS_BY_MINT,
    WRAPPED_SOL,
    associated_token_address,
    decode_mint,
    token_amount,
)
from order_engine.usecases.ports import Chain

WALLET_RENT_LAMPORTS: Final = 890_880  # an account without data may not be left with less


@dataclass(frozen=True, slots=True)
class CheckWallet:
    chain: Chain
    wallet: Pubkey

    async def __call__(self, order: Order, network_fee_lamports: int) -> None:
        """Check one order against the chain as it stands.

        Raises:
            UnknownMint: no such mint on chain.
            InsufficientFunds: the wallet holds less than the order spends, fees and rent included.
        """
        addresses = [order.token_in, order.token_out, self.wallet, *self._token_accounts(order)]
        snapshot = await self.chain.accounts(list(dict.fromkeys(addresses)))
        account_in = self._account_of("token_in", order.token_in, snapshot)
        account_out = self._account_of("token_out", order.token_out, snapshot)
        missing = sum(account not in snapshot.accounts for account in {account_in, account_out})
        needed = network_fee_lamports + missing * TOKEN_ACCOUNT_RENT_LAMPORTS + WALLET_RENT_LAMPORTS
        if order.token_in == WRAPPED_SOL:
            needed += order.amount_in
        else:
            _require(order.token_in, _balance(account_in, snapshot), order.amount_in)
        wallet = snapshot.accounts.get(self.wallet)
        _require(WRAPPED_SOL, wallet.lamports if wallet else 0, needed)

    def _token_accounts(self, order: Order) -> list[Pubkey]:
        return [
            associated_token_address(self.wallet, mint, program)
            for mint in (order.token_in, order.token_out)
            for program in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM)
        ]

    def _account_of(self, field: str, mint: Pubkey, snapshot: AccountSnapshot) -> Pubkey:
        try:
            decoded = decode_mint(mint, snapshot.require(mint), snapshot.epoch)
        except PoolUnreadable as error:
            raise UnknownMint(f"{field}: there is no mint {mint} on chain", token=str(mint)) from error
        return associated_token_address(self.wallet, mint, decoded.token_program)


def _balance(address: Pubkey, snapshot: AccountSnapshot) -> int:
    account = snapshot.accounts.get(address)
    return token_amount(address, account) if account else 0


def _require(mint: Pubkey, held: int, needed: int) -> None:
    """SOL counts native: lamports, fees and rent included."""
    if held < needed:
        token = TOKENS_BY_MINT.get(mint)
        raise InsufficientFunds(
            f"the wallet holds {held} base units of {token.symbol if token else mint}, the order needs {needed}",
            token=str(mint),
            held=str(held),
            needed=str(needed),
        )
