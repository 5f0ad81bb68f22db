"""A Meteora DLMM swap on the virtual machine: transfers by the real token program, the pool's accounts by emulation."""

import pytest
from solders.clock import Clock
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from order_engine.domain.pool import AccountSnapshot, SwapRequest, Trader
from order_engine.domain.tokens import TOKENS_BY_SYMBOL, associated_token_address
from order_engine.papernet.images import SYSTEM_PROGRAM, image, to_domain
from order_engine.papernet.machine import Machine
from order_engine.papernet.venues import emulated_programs
from order_engine.papernet.world_accounts import dlmm_pool, mint_account, token_account
from order_engine.venues.meteora_dlmm.pool import MeteoraDlmmPool

SLOT, NOW, EPOCH = 5, 1_800_000_000, 800
OWNER = Pubkey(bytes([10] * 32))
TOKENS = (TOKENS_BY_SYMBOL["JUP"], TOKENS_BY_SYMBOL["PYUSD"])  # one of each token program
RESERVES = (4_000_000_000_000, 2_000_000_000_000)
ADDRESS = next(dlmm_pool(TOKENS, RESERVES))[0]
HELD = 10**12


def machine_with_pool() -> Machine:
    machine = Machine(emulated_programs())
    machine.set_clock(Clock(SLOT, NOW, EPOCH, EPOCH, NOW))
    for address, account in dlmm_pool(TOKENS, RESERVES):
        machine.put(address, account)
    for token in TOKENS:
        machine.put(token.mint, mint_account(token, 10**15))
        machine.put(wallet_of(token.mint), token_account(token, OWNER, HELD))
    machine.put(OWNER, image(SYSTEM_PROGRAM, b"", 10**9))
    return machine


def wallet_of(mint: Pubkey) -> Pubkey:
    program = next(token.token_program for token in TOKENS if token.mint == mint)
    return associated_token_address(OWNER, mint, program)


def pool_on(machine: Machine) -> MeteoraDlmmPool:
    found = to_domain(machine.account(ADDRESS))
    assert found is not None
    keys = (ADDRESS, *MeteoraDlmmPool.dependencies(ADDRESS, found))
    read = {key: to_domain(machine.account(key)) for key in keys}
    accounts = {key: account for key, account in read.items() if account is not None}
    snapshot = AccountSnapshot(slot=SLOT, unix_timestamp=NOW, epoch=EPOCH, accounts=accounts)
    assert MeteoraDlmmPool.further_dependencies(ADDRESS, snapshot) == ()
    return MeteoraDlmmPool.decode(ADDRESS, snapshot)


def transaction(instruction: Instruction, number: int) -> VersionedTransaction:
    message = MessageV0.try_compile(OWNER, [instruction], [], Hash.default())
    return VersionedTransaction.populate(message, [Signature(bytes([number] * 64))])


def held(machine: Machine, address: Pubkey) -> int:
    account = machine.account(address)
    assert account is not None
    return int.from_bytes(account.data[64:72], "little")


@pytest.mark.parametrize("side_in", [0, 1])
def test_swaps_pay_their_quotes_one_after_the_other_and_move_the_price(side_in: int) -> None:
    machine = machine_with_pool()
    token_in, token_out = TOKENS[side_in].mint, TOKENS[1 - side_in].mint
    trader = Trader(owner=OWNER, token_account_in=wallet_of(token_in), token_account_out=wallet_of(token_out))
    received, last, active = 0, 10**15, pool_on(machine).state.active_id
    for number in range(1, 4):
        pool = pool_on(machine)
        quote = pool.quote(SwapRequest(token_in=token_in, token_out=token_out, amount_in=10**11))
        assert quote.amount_out < last
        execution = machine.execute(transaction(pool.swap_instruction(quote, quote.amount_out, trader), number))
        assert execution is not None
        assert execution.error is None
        received, last = received + quote.amount_out, quote.amount_out
        assert held(machine, trader.token_account_out) == HELD + received
        assert held(machine, trader.token_account_in) == HELD - number * 10**11
    moved = pool_on(machine).state.active_id - active
    assert moved < 0 if side_in == 0 else moved > 0


def test_paying_less_than_asked_fails_and_changes_nothing() -> None:
    machine = machine_with_pool()
    pool = pool_on(machine)
    token_in, token_out = TOKENS[0].mint, TOKENS[1].mint
    trader = Trader(owner=OWNER, token_account_in=wallet_of(token_in), token_account_out=wallet_of(token_out))
    quote = pool.quote(SwapRequest(token_in=token_in, token_out=token_out, amount_in=10**11))
    execution = machine.execute(transaction(pool.swap_instruction(quote, quote.amount_out + 1, trader), 1))
    assert execution is not None
    assert execution.error is not None
    assert str(pool.SLIPPAGE_ERROR) in str(execution.error)
    assert held(machine, trader.token_account_in) == HELD
    assert pool_on(machine).state == pool.state
