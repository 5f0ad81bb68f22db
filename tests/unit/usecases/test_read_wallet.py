"""What the wallet holds, which accounts it lacks, and whether it can pay: from one reading of the chain."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from solders.pubkey import Pubkey

from order_engine.domain.errors import InsufficientFunds, UnknownMint
from order_engine.domain.pool import Account, AccountSnapshot
from order_engine.domain.route import Route, RouteLeg, SwapMode, SwapTerms
from order_engine.domain.tokens import (
    KNOWN_TOKENS,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
    TOKENS_BY_SYMBOL,
    WRAPPED_SOL,
    associated_token_address,
)
from order_engine.papernet.images import to_domain
from order_engine.papernet.world_accounts import mint_account, token_account
from order_engine.usecases.ports import Chain
from order_engine.usecases.read_wallet import WALLET_RENT_LAMPORTS, Holdings, ReadWallet

WALLET = Pubkey([4] * 32)
SYSTEM = Pubkey.default()
SOL, USDC, USDT, JUP, PYUSD = (TOKENS_BY_SYMBOL[symbol] for symbol in ("SOL", "USDC", "USDT", "JUP", "PYUSD"))
FEE = 7_000
PYUSD_ACCOUNT_RENT_LAMPORTS = 2_157_600  # of 182 bytes: its mint has a transfer fee


@dataclass
class FakeChain:
    lamports: int = 10**9
    held: dict[str, int] = field(default_factory=dict)  # by symbol
    without_mints: frozenset[str] = frozenset()
    others: dict[Pubkey, Account] = field(default_factory=dict)
    reads: int = 0

    async def accounts(self, addresses: Sequence[Pubkey]) -> AccountSnapshot:
        self.reads += 1
        known = dict(self.others)
        known[WALLET] = Account(owner=SYSTEM, lamports=self.lamports, data=b"")
        for token in KNOWN_TOKENS:
            if token.symbol not in self.without_mints:
                known[token.mint] = present(to_domain(mint_account(token, 10**15)))
            if token.symbol in self.held:
                address = associated_token_address(WALLET, token.mint, token.token_program)
                known[address] = present(to_domain(token_account(token, WALLET, self.held[token.symbol])))
        found = {address: known[address] for address in addresses if address in known}
        return AccountSnapshot(slot=1, unix_timestamp=0, epoch=0, accounts=found)


def present(account: Account | None) -> Account:
    assert account is not None
    return account


def swap(token_in: str, token_out: str, amount: int, mode: SwapMode = SwapMode.EXACT_IN) -> SwapTerms:
    mint_in, mint_out = TOKENS_BY_SYMBOL[token_in].mint, TOKENS_BY_SYMBOL[token_out].mint
    return SwapTerms(token_in=mint_in, token_out=mint_out, swap_mode=mode, amount=amount, slippage_bps=50)


def route(*tokens: str, max_amount_in: int) -> Route:
    mints = [TOKENS_BY_SYMBOL[symbol].mint for symbol in tokens]
    legs = tuple(
        RouteLeg(
            venue="raydium_cpmm",
            pool=Pubkey([number + 1] * 32),
            token_in=token_in,
            token_out=token_out,
            amount_in=1,
            amount_out=1,
            fee_amount=0,
            fee_token=token_in,
            share_bps=10_000,
            min_amount_out=1,
            max_amount_in=1,
        )
        for number, (token_in, token_out) in enumerate(pairwise(mints))
    )
    return Route(
        legs=legs,
        amount_in=1,
        amount_out=1,
        min_amount_out=1,
        max_amount_in=max_amount_in,
        price_impact_bps=0,
        slot=1,
        network_fee_lamports=FEE,
    )


async def holdings(chain: FakeChain, terms: SwapTerms, *hubs: str) -> Holdings:
    fake: Chain = chain  # type: ignore[assignment]
    return await ReadWallet(fake, WALLET, [TOKENS_BY_SYMBOL[hub].mint for hub in hubs])(terms)


async def test_everything_is_read_at_once() -> None:
    chain = FakeChain(held={"USDC": 5, "JUP": 7})
    held = await holdings(chain, swap("USDC", "JUP", 5), "SOL", "USDC", "USDT")
    assert held.balances == {USDC.mint: 5, JUP.mint: 7}
    assert held.lamports == 10**9
    assert chain.reads == 1


async def test_an_account_that_is_not_there_costs_its_rent_and_wrapped_sol_gives_it_back() -> None:
    held = await holdings(FakeChain(held={"USDC": 5}), swap("USDC", "PYUSD", 5), "SOL", "USDT")
    assert held.missing_rent_lamports == {
        PYUSD.mint: PYUSD_ACCOUNT_RENT_LAMPORTS,
        WRAPPED_SOL: TOKEN_ACCOUNT_RENT_LAMPORTS,
        USDT.mint: TOKEN_ACCOUNT_RENT_LAMPORTS,
    }
    assert held.lost_rent_lamports == {
        PYUSD.mint: PYUSD_ACCOUNT_RENT_LAMPORTS,
        USDT.mint: TOKEN_ACCOUNT_RENT_LAMPORTS,
    }


@pytest.mark.parametrize(("missing", "field_name"), [("USDC", "token_in"), ("JUP", "token_out")])
async def test_a_token_that_is_not_on_chain_is_named_with_its_field(missing: str, field_name: str) -> None:
    chain = FakeChain(held={"USDC": 5}, without_mints=frozenset({missing}))
    with pytest.raises(UnknownMint, match=f"{field_name}: there is no mint {TOKENS_BY_SYMBOL[missing].mint}"):
        await holdings(chain, swap("USDC", "JUP", 5))


async def test_a_hub_that_is_not_on_chain_does_not_matter() -> None:
    held = await holdings(FakeChain(without_mints=frozenset({"USDT"})), swap("SOL", "JUP", 5), "USDT")
    assert USDT.mint not in held.missing_rent_lamports


async def test_lamports_sent_to_an_account_that_nobody_opened_are_no_balance() -> None:
    address = associated_token_address(WALLET, USDC.mint, USDC.token_program)
    chain = FakeChain(others={address: Account(owner=SYSTEM, lamports=10, data=b"")})
    held = await holdings(chain, swap("SOL", "USDC", 5))
    assert held.missing_rent_lamports[USDC.mint] == TOKEN_ACCOUNT_RENT_LAMPORTS


async def test_without_a_wallet_only_the_tokens_are_looked_at() -> None:
    fake: Chain = FakeChain()  # type: ignore[assignment]
    held = await ReadWallet(fake, None, [USDT.mint])(swap("SOL", "JUP", 5))
    assert held.missing_rent_lamports == {}


async def test_the_exact_amount_to_spend_must_be_there_before_a_route_is_looked_for() -> None:
    held = await holdings(FakeChain(held={"USDC": 99}), swap("USDC", "JUP", 99))
    held.check_terms(swap("USDC", "JUP", 99))
    with pytest.raises(InsufficientFunds, match="holds 99 base units of USDC, the order needs 100") as refused:
        held.check_terms(swap("USDC", "JUP", 100))
    assert refused.value.metadata == {"token": str(USDC.mint), "held": "99", "needed": "100"}
    held.check_terms(swap("USDC", "JUP", 100, SwapMode.EXACT_OUT))  # what that costs is not known yet


async def test_a_route_needs_its_most_to_pay_the_fee_the_rent_of_every_new_account_and_what_must_stay() -> None:
    needed = FEE + 2 * TOKEN_ACCOUNT_RENT_LAMPORTS + WALLET_RENT_LAMPORTS  # wrapped SOL on the way, and JUP
    enough = await holdings(FakeChain(needed, {"USDC": 50}), swap("USDC", "JUP", 50), "SOL")
    enough.check_route(route("USDC", "SOL", "JUP", max_amount_in=50))
    with pytest.raises(InsufficientFunds, match="holds 50 base units of USDC, the order needs 51"):
        enough.check_route(route("USDC", "SOL", "JUP", max_amount_in=51))
    short = await holdings(FakeChain(needed - 1, {"USDC": 50}), swap("USDC", "JUP", 50), "SOL")
    with pytest.raises(InsufficientFunds, match=f"holds {needed - 1} base units of SOL, the order needs {needed}"):
        short.check_route(route("USDC", "SOL", "JUP", max_amount_in=50))


async def test_sol_to_spend_counts_with_the_fees() -> None:
    needed = 10**8 + FEE + TOKEN_ACCOUNT_RENT_LAMPORTS + WALLET_RENT_LAMPORTS
    terms = swap("SOL", "USDC", 10**8)
    held = await holdings(FakeChain(needed, {"USDC": 0}), terms)
    held.check_route(route("SOL", "USDC", max_amount_in=10**8))
    with pytest.raises(InsufficientFunds):
        held.check_route(route("SOL", "USDC", max_amount_in=10**8 + 1))
