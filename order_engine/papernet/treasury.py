"""Transactions of the network's own wallets: airdrops and first funds."""

import secrets
from collections.abc import Iterator

from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from order_engine.domain.token_accounts import create_token_account
from order_engine.domain.tokens import WRAPPED_SOL, Token, associated_token_address
from order_engine.papernet.token_instructions import transfer_checked
from order_engine.papernet.world import FUND_LAMPORTS, FUND_USD, tokens_with_price, worth

_MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


def signed(payer: Keypair, instructions: list[Instruction], blockhash: Hash) -> VersionedTransaction:
    return VersionedTransaction(MessageV0.try_compile(payer.pubkey(), instructions, [], blockhash), [payer])


def airdrop(faucet: Keypair, to: Pubkey, lamports: int, blockhash: Hash) -> VersionedTransaction:
    """Return a transfer with a random memo: two equal airdrops in one slot are two transactions."""
    memo = Instruction(_MEMO, secrets.token_hex(8).encode(), [])
    return signed(faucet, [_pay(faucet, to, lamports), memo], blockhash)


def first_funds(faucet: Keypair, to: Pubkey, blockhash: Hash) -> Iterator[VersionedTransaction]:
    """Yield what fills a new wallet: SOL, and every token of the default world."""
    yield signed(faucet, [_pay(faucet, to, FUND_LAMPORTS)], blockhash)
    for token in tokens_with_price():
        if token.mint != WRAPPED_SOL:
            yield signed(faucet, list(_send_tokens(faucet.pubkey(), to, token)), blockhash)


def _pay(faucet: Keypair, to: Pubkey, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=to, lamports=lamports))


def _send_tokens(faucet: Pubkey, to: Pubkey, token: Token) -> Iterator[Instruction]:
    source, target = (associated_token_address(owner, token.mint, token.token_program) for owner in (faucet, to))
    yield create_token_account(faucet, to, target, token.mint, token.token_program)
    yield transfer_checked(
        token_program=token.token_program,
        source=source,
        mint=token.mint,
        destination=target,
        owner=faucet,
        amount=worth(token, FUND_USD),
        decimals=token.decimals,
    )
