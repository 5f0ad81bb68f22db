"""What is deployed agrees with the code: settings, commands, files and packages that are named exist."""

import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest
import typer
from pydantic_settings import BaseSettings

from gateway.settings import GatewaySettings
from order_engine.cli.app import app
from order_engine.papernet.genesis import genesis_hash, lookup_table_address
from order_engine.settings import PapernetSettings, Settings

ROOT = Path(__file__).parents[2]
SETTINGS: tuple[type[BaseSettings], ...] = (Settings, GatewaySettings, PapernetSettings)
PACKAGES = ("order_engine", "gateway", "protos")
NOT_OURS = {"PGPASSWORD"}  # read by libpq
PRINTED = {"configuration.md"}  # by `make docs`
COMPOSE = (ROOT / "docker-compose.yml").read_text()
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
KUBERNETES = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def settings() -> Iterator[tuple[str, str]]:
    """Every variable with its default, as it would be written; shared ones more than once."""
    for kind in SETTINGS:
        prefix = str(kind.model_config.get("env_prefix", ""))
        for name, field in kind.model_fields.items():
            yield (prefix + name).upper(), _written(field.default)


def _written(default: object) -> str:
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def is_setting(name: str) -> bool:
    return name in dict(settings())


def commands() -> dict[str, set[str]]:
    """The command line: each command with its options."""
    group = typer.main.get_command(app)
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found[name] = {option for parameter in command.params for option in parameter.opts}
    return found


def engine_calls(text: str) -> set[tuple[str, tuple[str, ...]]]:
    """Every call of the command line in a text: the command and its options, however it is quoted."""
    calls = re.findall(r"\border[_-]engine[\"']?,? [\"']?([a-z]+)((?:[\"']?,? [\"']?--[a-z-]+)*)", text)
    return {(name, tuple(re.findall(r"--[a-z-]+", options))) for name, options in calls}


def services() -> dict[str, str]:
    """The services of docker-compose.yml with their text."""
    block = re.search(r"^services:\n(.*?)^volumes:", COMPOSE, re.M | re.S)
    assert block
    parts = re.split(r"^  ([a-z]+):.*\n", block[1], flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def pins(name: str) -> dict[str, str]:
    """A lock's packages, each with version, marker and hashes."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.M)
    entries = re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)(.*(?:\n .*)*)", text, re.M)
    return {
        package: version + "".join(sorted(re.findall("sha256:[0-9a-f]{64}", rest)))
        for package, version, rest in entries
    }


def test_env_example_names_every_setting_with_its_default() -> None:
    lines = re.findall(r"^#?([A-Z][A-Z_]*)=(.*)$", (ROOT / ".env.example").read_text(), re.M)
    names = [name for name, _ in lines]
    assert len(names) == len(set(names))
    compose_only = set(re.findall(r"\$\{(\w+)", COMPOSE))
    written = {name: default for name, default in lines if name not in compose_only}
    expected = dict(settings())
    assert len(expected) > 40
    assert written == expected, "\n".join(
        f"#{name}={default}" for name, default in expected.items() if written.get(name) != default
    )
    assert compose_only == set(names) - set(written)


def test_settings_of_the_same_name_have_the_same_default() -> None:
    assert len(set(settings())) == len({name for name, _ in settings()})


def test_copying_env_example_changes_nothing() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_compose_sets_only_what_is_a_setting() -> None:
    block = re.search(r"^x-environment: &environment\n((?:  .*\n)+)", COMPOSE, re.M)
    assert block
    names = re.findall(r"^  ([A-Z_]+):", block[1], re.M)
    assert {"HOST", "DATABASE_URL", "REDIS_URL", "SOLANA_RPC_URL", "WALLET_PATH"} <= set(names)
    assert [name for name in names if not is_setting(name) and name not in NOT_OURS] == []


def test_compose_runs_every_process() -> None:
    ran = {name for text in services().values() for name, _ in engine_calls(text)}
    assert {"migrate", "wallet", "papernet", "api", "worker"} <= ran
    assert "command: [gateway]" in services()["gateway"]


def test_compose_waits_for_services_that_exist() -> None:
    waits = re.findall(r"^      ([a-z]+):\n        condition: (\w+)$", COMPOSE, re.M)
    assert len(waits) >= 10
    for name, condition in waits:
        text = services()[name]
        assert ("healthcheck:" in text) == (condition == "service_healthy"), name
        assert ('restart: "no"' in text) == (condition == "service_completed_successfully"), name


def test_compose_addresses_are_services_at_the_ports_they_listen_on() -> None:
    addresses = re.findall(r"(?:@|//|GRPC_TARGET: )([a-z]+):(\d+)", COMPOSE)
    ports = {"postgres": "5432", "redis": "6379"}
    for service, setting in (("papernet", "PAPERNET_PORT"), ("api", "GRPC_PORT")):
        ports |= {service: re.findall(rf'{setting}: "(\d+)"', COMPOSE)[0]}
    assert dict(addresses) == ports
    assert ports.keys() <= services().keys()


def test_compose_publishes_on_loopback_only() -> None:
    published = re.findall(r"^ +ports:\n((?: +- .*\n)+)", COMPOSE, re.M)
    lines = "".join(published).splitlines()
    assert len(lines) >= 3
    assert [line for line in lines if not re.fullmatch(r' +- "127\.0\.0\.1:(\d+):\1"', line)] == []


def test_compose_volumes_are_declared_and_used() -> None:
    used = set(re.findall(r"^      - ([a-z]+):/", COMPOSE, re.M))
    declared = set(re.findall(r"^  ([a-z]+):$", COMPOSE.partition("\nvolumes:")[2], re.M))
    assert used == declared != set()


def test_compose_probes_are_python() -> None:
    probes = re.findall(r"^        - -c\n        - (?:>-\n)?((?:.+\n)+?)(?=      [a-z])", COMPOSE, re.M)
    assert len(probes) == 4
    for probe in probes:
        compile(" ".join(line.strip() for line in probe.splitlines()), "probe", "exec")


def test_no_secret_is_written_down() -> None:
    texts = [COMPOSE, *(path.read_text() for path in (*UNITS, *KUBERNETES, ROOT / "Dockerfile"))]
    for text in texts:
        assert not re.search(r"://\w+:[^@\s]+@", text)
        assert not re.search(r"LIVE_TRADING\W+true", text, re.I)


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def test_the_image_copies_what_exists_and_is_not_ignored() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    sources = [source for group in copied for source in group]
    assert set(PACKAGES) <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists() or f"!{source}" not in rules] == []
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(sources)


def test_the_image_installs_from_hashes_and_runs_unprivileged() -> None:
    parts = instructions()
    assert {word for word, _ in parts} <= set(
        ["ARG", "FROM", "WORKDIR", "COPY", "RUN", "LABEL", "ENV", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD"]
    )
    runs = " ".join(rest for word, rest in parts if word == "RUN")
    assert "--require-hashes --only-binary :all: -r requirements-server.lock" in re.sub(r"\s+", " ", runs)
    assert not re.search(r"apt-get|gcc|curl", runs)
    user = next(rest for word, rest in reversed(parts) if word == "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert ("ENTRYPOINT", '["python", "-m"]') in parts


def test_the_server_lock_is_the_tested_lock_without_the_extras() -> None:
    everything, server = pins("requirements.lock"), pins("requirements-server.lock")
    assert {name: everything[name] for name in server} == server
    needed = {re.split(r"[^a-z0-9-]", line)[0] for line in PROJECT["project"]["dependencies"]}
    assert needed <= server.keys()
    extras = PROJECT["project"]["optional-dependencies"].values()
    assert not {re.split(r"[^a-z0-9-]", line)[0] for lines in extras for line in lines} & server.keys()


def test_the_wheel_holds_every_file_of_the_packages() -> None:
    found = PROJECT["tool"]["setuptools"]["packages"]["find"]
    data = PROJECT["tool"]["setuptools"]["package-data"]
    files = [path.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    files = [path for path in files if "__pycache__" not in path.parts]
    assert Path("protos/order_engine/v1/order_service.proto") in files
    for path in files:
        package = ".".join(path.parent.parts)
        assert any(fnmatch(package, pattern) for pattern in found["include"]), path
        assert path.suffix == ".py" or any(fnmatch(path.name, one) for one in data["*"]) or _is_data(path, data), path


def _is_data(path: Path, data: dict[str, list[str]]) -> bool:
    package, inside = path.parts[0], "/".join(path.parts[1:])
    return any(fnmatch(inside, pattern) for pattern in data.get(package, []))


@pytest.mark.parametrize("name", ["order-engine", "order-engine-gateway"])
def test_console_scripts_can_be_called(name: str) -> None:
    module, _, attribute = PROJECT["project"]["scripts"][name].partition(":")
    assert callable(getattr(import_module(module), attribute))


@pytest.mark.parametrize("path", [ROOT / "docker-compose.yml", *UNITS, *KUBERNETES], ids=lambda path: path.name)
def test_commands_and_options_exist(path: Path) -> None:
    calls = engine_calls(path.read_text())
    known = commands()
    assert calls or "order-engine-gateway" in path.read_text()
    assert {name for name, _ in calls} <= known.keys()
    assert [(name, options) for name, options in calls if not set(options) <= known[name]] == []


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_set_settings_and_end_with_all_their_processes(path: Path) -> None:
    text = path.read_text()
    assert "KillMode=control-group" in text
    assert "NoNewPrivileges=yes" in text
    assert [name for name in re.findall(r"^Environment=(\w+)=", text, re.M) if not is_setting(name)] == []


def test_there_is_a_unit_for_each_process() -> None:
    names = {re.sub(r"order-engine-|@?\.service", "", path.name) for path in UNITS}
    assert names == {"migrate", "api", "worker", "gateway", "papernet"}


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_kubernetes_sets_only_what_is_a_setting(path: Path) -> None:
    names = re.findall(r"^ +(?:- name: |- \{ *name: )?([A-Z][A-Z_]+)\b", path.read_text(), re.M)
    assert [name for name in names if not is_setting(name) and name not in NOT_OURS] == []


def test_compose_names_the_lookup_table_of_its_paper_network() -> None:
    table = lookup_table_address(genesis_hash(PapernetSettings.model_fields["seed"].default))
    assert f"LOOKUP_TABLES: {table} " in COMPOSE
    assert f"LOOKUP_TABLES={table}\n" in (ROOT / "docs" / "deploy.md").read_text()


def test_metrics_that_operations_alerts_on_exist() -> None:
    named = set(re.findall(r"\border_engine_[a-z_]+", (ROOT / "docs" / "operations.md").read_text()))
    source = "".join(path.read_text() for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    assert len(named) >= 4
    assert [name for name in named if f'"{name}"' not in source] == []


@pytest.mark.parametrize("name", ["operations", "deploy", "order-types"])
def test_documents_name_files_and_commands_that_exist(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "//" not in link]
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists() and link not in PRINTED] == []
    calls = re.findall(r"(?<![\w-])order-engine ([a-z]+)((?: --[a-z-]+)*)", "\n".join(_code(text)))
    known = commands()
    assert [call for call, options in calls if call not in known or not set(options.split()) <= known[call]] == []


def _code(text: str) -> list[str]:
    """What a document shows as code, in blocks and in lines."""
    blocks = re.findall(r"^```.*?^```", text, re.M | re.S)
    return blocks + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
