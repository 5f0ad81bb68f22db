"""Puts a network together: from its journal, or the default world when there is none yet."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey

from order_engine.papernet.account_dir import UnreadableFile, dumped_accounts
from order_engine.papernet.bank import Bank
from order_engine.papernet.faults import FaultPlan, Faults
from order_engine.papernet.genesis import genesis_hash, network_keypair
from order_engine.papernet.heights import Heights
from order_engine.papernet.images import Changes, merged
from order_engine.papernet.journal import Journal
from order_engine.papernet.machine import Machine
from order_engine.papernet.market import Market
from order_engine.papernet.network import Network, Rules
from order_engine.papernet.treasury import first_funds
from order_engine.papernet.venues import emulated_programs
from order_engine.papernet.world import default_world
from order_engine.settings import PapernetSettings

_IMPORTED: Final = "imported:"


class WrongSeed(ValueError):
    """The directory holds a network of another seed."""


def open_network(
    settings: PapernetSettings,
    state_dir: Path,
    *,
    fund: Sequence[Pubkey] = (),
    programs: Mapping[Pubkey, Path] | None = None,
    account_dir: Path | None = None,
) -> Network:
    """Open or create the network in `state_dir`.

    `programs` run as bytecode instead of being emulated. Accounts of `account_dir` replace the world's the first
    time they are seen; afterwards the journal has them.

    Raises:
        JournalLocked: another process runs it.
        WrongSeed, InvalidFaultPlan, UnreadableFile: the message says what to change.
    """
    faults = Faults(settings.seed, FaultPlan.parse(settings.faults), settings.failure_rate)
    genesis = genesis_hash(settings.seed)
    machine = Machine(emulated_programs())
    for program_id, path in (programs or {}).items():
        _load_program(machine, program_id, path)
    journal = Journal(state_dir)
    try:
        return _assemble(settings, journal, machine, genesis, faults, fund, account_dir)
    except BaseException:
        journal.close()
        raise


def _load_program(machine: Machine, program_id: Pubkey, path: Path) -> None:
    try:
        machine.load_program(program_id, path)
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path}: {error}") from error


def _assemble(
    settings: PapernetSettings,
    journal: Journal,
    machine: Machine,
    genesis: Hash,
    faults: Faults,
    fund: Sequence[Pubkey],
    account_dir: Path | None,
) -> Network:
    dumped = dict(dumped_accounts(account_dir)) if account_dir is not None else {}
    bank, market = (
        Bank(machine),
        Market(machine, network_keypair(genesis, "market"), settings.seed, settings.market_volatility_bps),
    )
    is_new = journal.setting("genesis") is None
    if not is_new and journal.setting("genesis") != str(genesis):
        raise WrongSeed(f"the stored network has genesis {journal.setting('genesis')}, seed {settings.seed} another")
    heights = Heights(journal, genesis, settings.slot_ms, time.time_ns() // 10**6)
    machine.set_clock(heights.clock(heights.head))
    if is_new:
        _create(journal, bank, market, genesis, dumped, heights)
    else:
        _reopen(journal, bank, market, dumped)
    network = Network(
        genesis=genesis, rules=_rules(settings), journal=journal, machine=machine, bank=bank, heights=heights,
        faults=faults, market=market,
    )  # fmt: skip
    _fund(network, fund)
    return network


def _create(
    journal: Journal, bank: Bank, market: Market, genesis: Hash, dumped: Mapping[Pubkey, Account], heights: Heights
) -> None:
    world = default_world(genesis)
    accounts = {**world.accounts, **dumped}
    for address, account in accounts.items():
        bank.load(address, account)
    market.anchor(world.pools, heights.clock(heights.head))
    imported: dict[str, str | int] = {f"{_IMPORTED}{address}": 1 for address in dumped}
    with journal.transaction():
        journal.put_accounts(accounts.items())
        journal.put_settings({"genesis": str(genesis), "market": market.anchors_json(), **imported})


def _reopen(journal: Journal, bank: Bank, market: Market, dumped: Mapping[Pubkey, Account]) -> None:
    new = {key: account for key, account in dumped.items() if journal.setting(f"{_IMPORTED}{key}") is None}
    with journal.transaction():
        journal.put_accounts(new.items())
        journal.put_settings({f"{_IMPORTED}{address}": 1 for address in new})
    for address, account in journal.accounts():
        bank.load(address, account)
    for height, address, before in journal.undo():
        bank.remember(height, address, before)
    market.restore(str(journal.setting("market")))


def _rules(settings: PapernetSettings) -> Rules:
    return Rules(
        slot_ms=settings.slot_ms,
        land_after_min=settings.land_after_slots_min,
        land_after_max=settings.land_after_slots_max,
        market_every=settings.market_step_slots,
        airdrop_max_lamports=settings.airdrop_max_lamports,
    )


def _fund(network: Network, wallets: Sequence[Pubkey]) -> None:
    """Fill wallets that hold nothing, all of it or nothing, as if they had always held it."""
    for wallet in wallets:
        if network.machine.account(wallet) is not None:
            continue
        changes: list[Changes] = []
        for transaction in first_funds(network.faucet, wallet, network.heights.blockhash(network.head)):
            execution = network.machine.execute(transaction)
            if execution is None or execution.error is not None:
                raise RuntimeError(f"the faucet cannot fund {wallet}: {execution and execution.error}")
            changes.append(execution.changes)
        accounts = {key: change.after for key, change in merged(changes).items() if change.after is not None}
        with network.journal.transaction():
            network.journal.put_accounts(accounts.items())
        for address, account in accounts.items():
            network.bank.load(address, account)
