"""Dumped accounts take part in the world, and lookup tables among them work in transactions."""

import json
import struct
from base64 import b64encode
from pathlib import Path

import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from order_engine.domain.tokens import TOKEN_PROGRAM, TOKENS_BY_SYMBOL, WRAPPED_SOL
from order_engine.papernet.account_dir import UnreadableFile
from order_engine.papernet.startup import open_network
from order_engine.settings import PapernetSettings
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool
from tests.papernet.client import pay, signed, swap_of
from tests.papernet.conftest import STILL, serving

USDC = TOKENS_BY_SYMBOL["USDC"].mint
LOOKUP_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")


def _dump(directory: Path, address: Pubkey, owner: Pubkey, data: bytes, lamports: int = 10**9, **more: object) -> None:
    directory.mkdir(exist_ok=True)
    account = {
        "lamports": lamports,
        "data": [b64encode(data).decode(), "base64"],
        "owner": str(owner),
        "executable": False,
        "rentEpoch": 2**64 - 1,
        "space": len(data),
        **more,
    }
    (directory / f"{address}.json").write_text(json.dumps({"pubkey": str(address), "account": account}))


async def test_a_swap_through_a_dumped_lookup_table_lands(tmp_path: Path, wallet: Keypair) -> None:
    me, table = wallet.pubkey(), Pubkey.new_unique()
    async with serving(tmp_path / "first", wallet) as paper:
        pool = await paper.pool(RaydiumCpmmPool, WRAPPED_SOL, USDC)
    swap = swap_of(pool, me, WRAPPED_SOL, USDC, 10**9)
    keys = sorted({meta.pubkey for step in swap.instructions() for meta in step.accounts} - {me}, key=bytes)
    header = struct.pack("<IQQBB32sH", 1, 2**64 - 1, 0, 0, 0, bytes(32), 0)
    _dump(tmp_path / "dumps", table, LOOKUP_PROGRAM, header + b"".join(map(bytes, keys)))
    async with serving(tmp_path / "second", wallet, account_dir=tmp_path / "dumps") as paper:
        blockhash, _ = await paper.blockhash()
        lookup = [AddressLookupTableAccount(table, keys)]
        message = MessageV0.try_compile(me, swap.instructions(), lookup, blockhash)
        assert message.address_table_lookups
        before = await paper.tokens(me, USDC)
        assert (await paper.land(VersionedTransaction(message, [wallet])))["err"] is None
        assert await paper.tokens(me, USDC) - before == swap.quote.amount_out
        missing = [AddressLookupTableAccount(Pubkey.new_unique(), keys)]
        lost = MessageV0.try_compile(me, swap.instructions(), missing, blockhash)
        report = await paper.simulate(VersionedTransaction(lost, [wallet]))
        assert report["err"] == "AddressLookupTableNotFound"


async def test_a_dumped_account_is_loaded_once_and_then_lives_on(tmp_path: Path, wallet: Keypair) -> None:
    saver = Keypair()
    _dump(tmp_path / "dumps", saver.pubkey(), Pubkey.default(), b"", 5 * 10**9)
    async with serving(tmp_path / "net", wallet) as paper:
        assert await paper.lamports(saver.pubkey()) == 0
    async with serving(tmp_path / "net", wallet, account_dir=tmp_path / "dumps") as paper:
        assert await paper.lamports(saver.pubkey()) == 5 * 10**9
        blockhash, _ = await paper.blockhash()
        await paper.land(signed(saver, [pay(saver, wallet.pubkey(), 10**9)], blockhash))
    async with serving(tmp_path / "net", wallet, account_dir=tmp_path / "dumps") as paper:
        assert await paper.lamports(saver.pubkey()) == 4 * 10**9 - 5_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not an account"),
        ("[]", "not an account"),
        ("{}", "the field 'account' is missing"),
        (
            json.dumps({"pubkey": "x", "account": {"data": ["!", "base64"], "executable": False, "owner": "y"}}),
            "not an account",
        ),
    ],
)
def test_a_file_that_is_no_dump_is_named(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "broken.json").write_text(content)
    with pytest.raises(UnreadableFile, match=rf"broken\.json: .*{reason}"):
        open_network(PapernetSettings(_env_file=None, **STILL), tmp_path / "net", account_dir=tmp_path)


def test_a_program_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "program.so").write_bytes(b"not an ELF file")
    settings = PapernetSettings(_env_file=None, **STILL)
    programs = {RaydiumCpmmPool.PROGRAM_ID: tmp_path / "program.so"}
    with pytest.raises(UnreadableFile, match=r"program\.so"):
        open_network(settings, tmp_path / "net", programs=programs)


async def test_bytecode_given_for_a_venue_runs_instead_of_the_emulation(tmp_path: Path, wallet: Keypair) -> None:
    elf = tmp_path / "program.so"
    elf.write_bytes(_token_program_elf())
    programs = {RaydiumCpmmPool.PROGRAM_ID: elf}
    async with serving(tmp_path / "net", wallet, programs=programs) as paper:
        pool = await paper.pool(RaydiumCpmmPool, WRAPPED_SOL, USDC)
        swap = swap_of(pool, wallet.pubkey(), USDC, WRAPPED_SOL, 10**9)
        status = await paper.land(signed(wallet, swap.instructions(), (await paper.blockhash())[0]))
        # the token program does not know the swap instruction: its own error, at the swap
        assert status["err"] == {"InstructionError": [1, {"Custom": 12}]}


def _token_program_elf() -> bytes:
    """Take bytecode out of the virtual machine, which brings the token program along."""
    machine = LiteSVM()
    program = machine.get_account(TOKEN_PROGRAM)
    assert program is not None
    data = machine.get_account(Pubkey(bytes(program.data)[4:36]))
    assert data is not None
    return bytes(data.data)[45:]
