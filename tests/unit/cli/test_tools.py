"""The wallet, and the doctor where nothing runs."""

import json
import socket
import stat
from pathlib import Path

import pytest
from solders.keypair import Keypair

from order_engine.embedded.listening import free_port
from tests.unit.cli.conftest import Cli


@pytest.fixture
def free_ports(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    ports = {name: free_port() for name in ("GRPC_PORT", "PORT", "PAPERNET_PORT")}
    for name, port in ports.items():
        monkeypatch.setenv(name, str(port))
    return ports


def verdicts(stdout: str) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in json.loads(stdout)["checks"]}


def test_a_wallet_is_made_only_when_asked_for_and_only_once(cli: Cli, tmp_path: Path) -> None:
    missing = cli("wallet")
    assert missing.exit_code == 1
    assert "--create" in missing.stderr
    made = json.loads(cli("wallet", "--create", "--json").stdout)
    path = tmp_path / "state" / "wallet.json"
    assert made["created"] is True
    assert made["path"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert cli("wallet").stdout == cli("wallet", "--create").stdout == f"{made['address']}\n"


def test_the_secret_of_a_wallet_is_never_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keypair = Keypair()
    path = tmp_path / "key.json"
    path.write_text(keypair.to_json())
    monkeypatch.setenv("WALLET_PATH", str(path))
    path.chmod(0o644)
    assert cli("wallet").exit_code == 1
    path.chmod(0o600)
    shown = cli("wallet", "--json").output + cli("doctor", "--json").output
    assert str(keypair.pubkey()) in shown
    assert str(keypair) not in shown
    assert keypair.to_json()[1:60] not in shown


@pytest.mark.usefixtures("free_ports")
def test_the_doctor_checks_what_up_would_use_when_nothing_is_configured(cli: Cli, tmp_path: Path) -> None:
    done = cli("doctor", "--json")
    assert done.exit_code == 0, done.output
    found = verdicts(done.stdout)
    assert {found[name] for name in ("python", "packages", "embedded servers", "state directory")} == {"good"}
    assert {found[name] for name in ("wallet", "database", "redis", "chain", "gRPC", "HTTP bridge")} == {"idle"}
    assert not (tmp_path / "state").exists()


def test_the_doctor_finds_a_port_that_somebody_else_has(cli: Cli, free_ports: dict[str, int]) -> None:
    with socket.create_server(("127.0.0.1", free_ports["PORT"])):
        done = cli("doctor", "--timeout", "0.3")
    assert done.exit_code == 1
    assert "set PORT to another port" in done.stdout


@pytest.mark.usefixtures("free_ports")
def test_the_doctor_says_how_to_mend_what_does_not_answer(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("DATABASE_URL", f"postgresql://user:hidden@{nowhere}/orders")
    monkeypatch.setenv("REDIS_URL", f"redis://:hidden@{nowhere}/0")
    monkeypatch.setenv("SOLANA_RPC_URL", f"http://{nowhere}")
    done = cli("doctor", "--json", "--target", nowhere, "--http", f"http://{nowhere}")
    assert done.exit_code == 1
    bad = [check for check in json.loads(done.stdout)["checks"] if check["verdict"] == "bad"]
    assert [check["name"] for check in bad] == ["database", "redis", "chain", "gRPC", "HTTP bridge"]
    assert all(check["mend"] for check in bad)
    assert "hidden" not in done.output


@pytest.mark.parametrize(
    ("name", "value"), [("DATABASE_URL", "no url"), ("REDIS_URL", "no url"), ("SOLANA_RPC_URL", "api.example.com")]
)
@pytest.mark.usefixtures("free_ports")
def test_nonsense_for_an_address_is_told_by_its_variable(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    done = cli("doctor")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://host:many/orders"),
        ("REDIS_URL", "redis://host:many/0"),
        ("SOLANA_RPC_URL", "http://"),
    ],
)
@pytest.mark.usefixtures("free_ports")
def test_the_doctor_survives_an_address_that_is_half_nonsense(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    done = cli("doctor")
    assert done.exit_code == 1, done.output
    assert f"{name} is no URL" in done.stdout
