"""A Raydium CLMM swap on the virtual machine: transfers by the real token program, the pool's accounts by emulation."""

import pytest
from solders.clock import Clock
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from order_engine.papernet.images import image, to_domain
from order_engine.papernet.machine import Machine
from order_engine.papernet.venues import emulated_programs
from order_engine.venues.raydium_clmm import layout
from tests.unit.raydium_clmm_samples import ADDRESS, EPOCH, NOW, STATE, TICKS, TRADER, World, request, with_state
from tests.unit.test_raydium_clmm import DYNAMIC, ORDERS

WORLDS = {
    "plain": World(),
    "dynamic fee": with_state(World(), dynamic_fee=DYNAMIC),
    "limit orders": World(ticks=tuple(sorted((*TICKS, *ORDERS)))),
}


def machine_of(world: World, side_in: int) -> Machine:
    machine = Machine(emulated_programs())
    machine.set_clock(Clock(5, NOW, EPOCH, EPOCH, NOW))
    for address, account in world.ledger(side_in).accounts.items():
        machine.put(address, image(account.owner, account.data))
    machine.put(TRADER.owner, image(Pubkey.default(), b"", 10**9))
    return machine


def transaction(*instructions: Instruction) -> VersionedTransaction:
    message = MessageV0.try_compile(TRADER.owner, instructions, [], Hash.default())
    return VersionedTransaction.populate(message, [Signature(bytes([1] * 64))])


def tokens(machine: Machine, address: Pubkey) -> int:
    account = machine.account(address)
    assert account is not None
    return int.from_bytes(account.data[64:72], "little")


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("side_in", [0, 1])
def test_a_swap_pays_its_quote_and_changes_the_pool(name: str, side_in: int) -> None:
    world, machine = WORLDS[name], machine_of(WORLDS[name], side_in)
    pool = world.pool()
    quote = pool.quote(request(6 * 10**9, side_in))
    execution = machine.execute(transaction(pool.swap_instruction(quote, quote.amount_out, TRADER)))
    assert execution is not None
    assert execution.error is None
    assert tokens(machine, TRADER.token_account_out) == quote.amount_out
    assert tokens(machine, TRADER.token_account_in) == world.trader_balance - quote.amount_in
    assert tokens(machine, STATE.vaults[side_in]) == 10**15 + quote.amount_in
    changed = to_domain(machine.account(ADDRESS))
    assert changed is not None
    assert layout.decode_pool(ADDRESS, changed).sqrt_price_x64 != STATE.sqrt_price_x64


def test_a_swap_that_slips_changes_nothing() -> None:
    machine = machine_of(World(), 0)
    pool = World().pool()
    quote = pool.quote(request(6 * 10**9))
    execution = machine.execute(transaction(pool.swap_instruction(quote, quote.amount_out + 1, TRADER)))
    assert execution is not None
    assert execution.error == {"InstructionError": [0, {"Custom": 6022}]}
    assert tokens(machine, TRADER.token_account_out) == 0
    assert to_domain(machine.account(ADDRESS)) is not None
    assert tokens(machine, STATE.vaults[0]) == 10**15
