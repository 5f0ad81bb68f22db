"""The key file: made once, readable by its owner alone, never overwritten."""

import stat
from pathlib import Path

import pytest

from order_engine.adapters.solana.wallet import WalletFileError, load_keypair, load_or_create_keypair


def test_a_new_key_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "state" / "wallet.json"
    first = load_or_create_keypair(path)
    assert load_or_create_keypair(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["wallet.json"]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wallet.json"
    load_or_create_keypair(path)
    path.chmod(0o640)
    with pytest.raises(WalletFileError, match="chmod 600"):
        load_keypair(path)


@pytest.mark.parametrize("content", ["", "[]", "{}", "[1,2,3]", '"x"', "[" + "999," * 63 + "1]"])
def test_a_file_that_is_no_key_is_refused_without_showing_its_content(tmp_path: Path, content: str) -> None:
    path = tmp_path / "wallet.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(WalletFileError, match="not a key"):
        load_keypair(path)


def test_a_missing_key_says_which_file(tmp_path: Path) -> None:
    with pytest.raises(WalletFileError, match=r"none\.json"):
        load_keypair(tmp_path / "none.json")
