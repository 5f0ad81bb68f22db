"""The official SDKs in a Node process of their own: installed once, asked line by line."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "sdk"
# Nothing that a package would run while it is installed is needed to quote.
_INSTALL: Final = (
    *("npm", "install", "--legacy-peer-deps", "--ignore-scripts", "--no-package-lock"),
    *("--no-audit", "--no-fund", "--loglevel=error"),
)
_INSTALL_SECONDS: Final = 600.0


class SdkUnusable(Exception):
    """The SDKs cannot be installed, or one of them failed. Says why."""


@dataclass(frozen=True, slots=True)
class Sdks:
    """A running process that answers each line with one line."""

    process: subprocess.Popen[str]

    def load(self, swap: Mapping[str, object]) -> int:
        """Have a swap's state decoded, and return the amount_out it quotes.

        Raises:
            SdkUnusable: the SDK fails on it.
        """
        return int(str(self._ask({"load": swap})["amount_out"]))

    def cpu_us(self, name: str, seconds: float) -> float:
        """Quote a loaded swap for so long, and return the processor time of one quote in microseconds.

        Raises:
            SdkUnusable: the process died.
        """
        answer = self._ask({"run": name, "seconds": seconds})
        return float(str(answer["cpu_us"])) / float(str(answer["quotes"]))

    def _ask(self, request: Mapping[str, object]) -> dict[str, object]:
        if self.process.stdin is None or self.process.stdout is None:
            raise SdkUnusable("the process has no pipes")
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SdkUnusable(f"node ended with status {self.process.wait()}")
        answer: dict[str, object] = json.loads(line)
        if "error" in answer:
            raise SdkUnusable(str(answer["error"]))
        return answer


def install() -> None:
    """Install the packages of package.json beside it, unless they are there.

    Raises:
        SdkUnusable: npm is missing, or fails; says what it printed.
    """
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise SdkUnusable("node and npm are not installed")
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    if all(_installed(package) == version for package, version in wanted.items()):
        return
    try:
        subprocess.run(_INSTALL, cwd=FOLDER, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    except subprocess.TimeoutExpired as stuck:
        raise SdkUnusable(f"npm install took more than {_INSTALL_SECONDS:.0f} s") from stuck
    except subprocess.CalledProcessError as failed:
        raise SdkUnusable(f"npm install failed: {failed.stderr.strip() or failed.stdout.strip()}") from failed


def _installed(package: str) -> str | None:
    about = FOLDER / "node_modules" / package / "package.json"
    return str(json.loads(about.read_text())["version"]) if about.exists() else None


@contextmanager
def running() -> Iterator[Sdks]:
    command = ("node", "quotes.cjs")
    with subprocess.Popen(
        command, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield Sdks(process)
        finally:
            process.kill()
