"""PostgreSQL refuses to run as root: how it runs when we are root, and as ourselves when we are not."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534
# The same files stay root's: only inside the namespace do they look like somebody else's.
USER_NAMESPACE = ("unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose rights PostgreSQL gets, and which binaries and home that account can reach."""

    binaries: Path
    home: Path
    prefix: tuple[str, ...] = ()
    user: int | None = None


def choose_account(binaries: Path, state_dir: Path) -> Account:
    """Return the account that leaves fewest traces; copies the binaries only where nothing else works."""
    if os.geteuid() != 0:
        return Account(binaries=binaries, home=state_dir)
    if _succeeds(*USER_NAMESPACE, str(binaries / "postgres"), "--version"):
        return Account(binaries=binaries, home=state_dir, prefix=USER_NAMESPACE)
    if all(_succeeds("test", "-x", str(path), user=NOBODY) for path in (binaries / "postgres", state_dir)):
        return Account(binaries=binaries, home=state_dir, user=NOBODY)
    home = _reachable_home(state_dir)
    return Account(binaries=_copied(binaries, home), home=home, user=NOBODY)


def _succeeds(*command: str, user: int | None = None) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            capture_output=True,
            check=False,
            user=user,
            group=user,
            extra_groups=None if user is None else (),
        )
    except OSError:  # not on this machine
        return False
    return done.returncode == 0


def _reachable_home(state_dir: Path) -> Path:
    """Return this state directory's own folder that everyone may enter; its name is kept in the state directory."""
    note = state_dir / "postgres-home"
    if note.exists() and (home := Path(note.read_text())).is_dir():
        return home
    home = Path(tempfile.mkdtemp(prefix="order-engine-", dir="/var/tmp"))
    home.chmod(0o711)
    note.write_text(str(home))
    return home


def _copied(binaries: Path, home: Path) -> Path:
    """Copy the installation and its libraries, 40 MB, keeping the layout by which they find each other."""
    installation, package = binaries.parent, binaries.parent.parent
    copy = home / package.name / installation.name
    if not (home / "copied").exists():
        shutil.copytree(installation, copy, dirs_exist_ok=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, home / libraries.name, dirs_exist_ok=True)
        (home / "copied").touch()
    return copy / binaries.name
