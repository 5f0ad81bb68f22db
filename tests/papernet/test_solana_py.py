"""The unmodified solana-py client works against the network."""

from collections.abc import AsyncIterator

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Processed
from solana.rpc.models import MemcmpOpts, TokenAccountOpts, TxOpts
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from order_engine.domain.tokens import TOKEN_PROGRAM, TOKENS_BY_SYMBOL, WRAPPED_SOL, associated_token_address
from order_engine.papernet.genesis import genesis_hash
from order_engine.venues.raydium_cpmm import layout
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool
from tests.papernet.client import PaperRpc, pay, signed, swap_of

SOL = 10**9
USDC = TOKENS_BY_SYMBOL["USDC"]


@pytest.fixture
async def client(paper: PaperRpc) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(paper.url) as client:
        yield client


async def test_it_reads_the_chain(client: AsyncClient, wallet: Keypair) -> None:
    assert (await client.get_genesis_hash()).value == genesis_hash(1)
    assert (await client.get_version()).value.solana_core
    assert await client.is_connected()
    epoch = (await client.get_epoch_info()).value
    assert (await client.get_slot()).value == epoch.absolute_slot
    assert (await client.get_block_height()).value == epoch.block_height
    latest = (await client.get_latest_blockhash(Confirmed)).value
    assert latest.last_valid_block_height > epoch.block_height
    assert (await client.get_minimum_balance_for_rent_exemption(165)).value == 2_039_280
    message = signed(wallet, [pay(wallet, Pubkey.new_unique(), SOL)], latest.blockhash).message
    assert (await client.get_fee_for_message(message, Confirmed)).value == 5_000


async def test_it_reads_accounts(client: AsyncClient, wallet: Keypair) -> None:
    me = wallet.pubkey()
    ata = associated_token_address(me, USDC.mint, USDC.token_program)
    assert (await client.get_balance(me)).value == 10_000 * SOL
    info = (await client.get_account_info(ata)).value
    assert info is not None
    assert info.owner == TOKEN_PROGRAM
    many = (await client.get_multiple_accounts([ata, Pubkey.new_unique()])).value
    assert many[0] is not None
    assert many[1] is None
    assert (await client.get_token_account_balance(ata)).value.ui_amount == 1_000_000
    assert (await client.get_token_supply(USDC.mint)).value.decimals == 6
    owned = await client.get_token_accounts_by_owner(me, TokenAccountOpts(mint=USDC.mint))
    assert [entry.pubkey for entry in owned.value] == [ata]
    parsed = await client.get_token_accounts_by_owner_json_parsed(me, TokenAccountOpts(program_id=TOKEN_PROGRAM))
    assert len(parsed.value) == 6
    by_mint = MemcmpOpts(offset=layout.MINT_0_OFFSET, bytes=str(WRAPPED_SOL))
    pools = await client.get_program_accounts(layout.PROGRAM_ID, encoding="base64", filters=[637, by_mint])
    assert pools.value


async def test_it_swaps_and_reads_the_outcome(client: AsyncClient, paper: PaperRpc, wallet: Keypair) -> None:
    pool = await paper.pool(RaydiumCpmmPool, WRAPPED_SOL, USDC.mint)
    swap = swap_of(pool, wallet.pubkey(), WRAPPED_SOL, USDC.mint, SOL)
    latest = (await client.get_latest_blockhash(Confirmed)).value
    transaction = signed(wallet, swap.instructions(), latest.blockhash)
    simulated = (await client.simulate_transaction(transaction, sig_verify=True, commitment=Confirmed)).value
    assert simulated.err is None
    sent = await client.send_transaction(transaction, TxOpts(preflight_commitment=Confirmed))
    assert sent.value == transaction.signatures[0]
    assert (await client.get_signature_statuses([sent.value])).value == [None]
    await paper.advance(2)
    (status,) = (await client.get_signature_statuses([sent.value], search_transaction_history=True)).value
    assert status is not None
    assert status.err is None
    for encoding in ("json", "jsonParsed", "base64"):
        shown = (await client.get_transaction(sent.value, encoding, Confirmed, 0)).value
        assert shown is not None
        assert shown.transaction.meta is not None
        assert shown.transaction.meta.fee == 5_000
    listed = await client.get_signatures_for_address(wallet.pubkey(), commitment=Confirmed)
    assert [entry.signature for entry in listed.value] == [sent.value]


async def test_it_understands_failures(client: AsyncClient, paper: PaperRpc, wallet: Keypair) -> None:
    pool = await paper.pool(RaydiumCpmmPool, WRAPPED_SOL, USDC.mint)
    swap = swap_of(pool, wallet.pubkey(), WRAPPED_SOL, USDC.mint, SOL)
    latest = (await client.get_latest_blockhash(Confirmed)).value
    await paper.call("paperSetFailureRate", 1)
    sent = await client.send_transaction(
        signed(wallet, swap.instructions(), latest.blockhash), TxOpts(skip_preflight=True)
    )
    await paper.advance(2)
    (status,) = (await client.get_signature_statuses([sent.value])).value
    assert status is not None
    assert "6005" in str(status.err)
    unfunded = Keypair()
    refused = signed(unfunded, [pay(unfunded, Pubkey.new_unique(), 1)], latest.blockhash)
    simulated = (await client.simulate_transaction(refused)).value
    assert "AccountNotFound" in str(simulated.err)


async def test_it_airdrops(client: AsyncClient, paper: PaperRpc) -> None:
    to = Pubkey.new_unique()
    assert (await client.request_airdrop(to, SOL)).value
    await paper.advance(1)
    assert (await client.get_balance(to, Processed)).value == SOL
