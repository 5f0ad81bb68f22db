"""Tell what only the chain knows: whether the tokens exist, what the wallet holds, and which accounts it lacks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.errors import InsufficientFunds, PoolUnreadable, UnknownMint
from order_engine.domain.pool import AccountSnapshot
from order_engine.domain.route import Route, SwapMode, SwapTerms
from order_engine.domain.tokens import (
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    TOKENS_BY_MINT,
    WRAPPED_SOL,
    Mint,
    associated_token_address,
    decode_mint,
    token_account_rent_lamports,
    token_amount,
)
from order_engine.usecases.ports import Chain

WALLET_RENT_LAMPORTS: Final = 890_880  # an account without data may not be left with less


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a wallet holds. A token without an account has no balance."""

    lamports: int
    balances: Mapping[Pubkey, int]  # by mint, base units
    missing_rent_lamports: Mapping[Pubkey, int]  # by mint: what opening the account that is not there costs

    @property
    def lost_rent_lamports(self) -> Mapping[Pubkey, int]:
        """What of it does not come back: the account of wrapped SOL is closed again in the same transaction."""
        return {mint: rent for mint, rent in self.missing_rent_lamports.items() if mint != WRAPPED_SOL}

    def check_terms(self, swap: SwapTerms) -> None:
        """Check what is known before there is a route.

        Raises:
            InsufficientFunds: the wallet does not hold the exact amount that is to be spent.
        """
        if swap.swap_mode is SwapMode.EXACT_IN:
            self._check(swap.token_in, swap.amount, WALLET_RENT_LAMPORTS)

    def check_route(self, route: Route) -> None:
        """Check that the wallet can pay for the route: the amount, the network fee and rent.

        Raises:
            InsufficientFunds: it holds less.
        """
        mints = {route.legs[0].token_in, *(leg.token_out for leg in route.legs)}
        rent = sum(self.missing_rent_lamports.get(mint, 0) for mint in mints)
        lamports = route.network_fee_lamports + rent + WALLET_RENT_LAMPORTS
        self._check(route.legs[0].token_in, route.max_amount_in, lamports)

    def _check(self, token_in: Pubkey, amount: int, lamports: int) -> None:
        """SOL counts native: lamports, fees and rent included."""
        if token_in == WRAPPED_SOL:
            lamports += amount
        else:
            _require(token_in, self.balances.get(token_in, 0), amount)
        _require(WRAPPED_SOL, self.lamports, lamports)


@dataclass(frozen=True, slots=True)
class ReadWallet:
    chain: Chain
    wallet: Pubkey | None  # None: only the tokens are looked at, and no account is missing
    hubs: Sequence[Pubkey]

    async def __call__(self, swap: SwapTerms) -> Holdings:
        """Return what the wallet holds of both tokens and of every hub that a route may pass.

        Raises:
            UnknownMint: one of the order's tokens is not on chain.
            ChainUnavailable: the chain cannot be read.
        """
        wanted = list(dict.fromkeys((swap.token_in, swap.token_out, *self.hubs)))
        snapshot = await self.chain.accounts([*wanted, *self._accounts(wanted)])
        mints = dict(_mints(wanted, snapshot))
        for field, mint in (("token_in", swap.token_in), ("token_out", swap.token_out)):
            if mint not in mints:
                raise UnknownMint(f"{field}: there is no mint {mint} on chain", token=str(mint))
        if self.wallet is None:
            return Holdings(lamports=0, balances={}, missing_rent_lamports={})
        account = snapshot.accounts.get(self.wallet)
        held = {mint: _balance(self.wallet, mint, decoded, snapshot) for mint, decoded in mints.items()}
        missing = {mint: token_account_rent_lamports(mints[mint]) for mint, balance in held.items() if balance is None}
        return Holdings(
            lamports=account.lamports if account else 0,
            balances={mint: balance for mint, balance in held.items() if balance is not None},
            missing_rent_lamports=missing,
        )

    def _accounts(self, mints: Sequence[Pubkey]) -> list[Pubkey]:
        """The wallet and its token accounts. Which program a mint is of is not known before it is read."""
        if self.wallet is None:
            return []
        programs = (TOKEN_PROGRAM, TOKEN_2022_PROGRAM)
        return [self.wallet, *(associated_token_address(self.wallet, mint, one) for mint in mints for one in programs)]


def _balance(wallet: Pubkey, mint: Pubkey, decoded: Mint, snapshot: AccountSnapshot) -> int | None:
    """None when there is no account, or one that lamports were sent to but nobody has opened."""
    address = associated_token_address(wallet, mint, decoded.token_program)
    account = snapshot.accounts.get(address)
    return token_amount(address, account) if account and account.owner == decoded.token_program else None


def _mints(wanted: Sequence[Pubkey], snapshot: AccountSnapshot) -> Iterator[tuple[Pubkey, Mint]]:
    for mint in wanted:
        try:
            yield mint, decode_mint(mint, snapshot.require(mint), snapshot.epoch)
        except PoolUnreadable:
            continue


def _require(mint: Pubkey, held: int, needed: int) -> None:
    if held < needed:
        token = TOKENS_BY_MINT.get(mint)
        raise InsufficientFunds(
            f"the wallet holds {held} base units of {token.symbol if token else mint}, the order needs {needed}",
            token=str(mint),
            held=str(held),
            needed=str(needed),
        )
