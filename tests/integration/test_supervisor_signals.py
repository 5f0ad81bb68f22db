"""A whole run of the supervisor under the signals that reach it: nothing outlives it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

AT_MOST = 20
RUN = Path(__file__).with_name("supervised_run.py")
ROOT = Path(__file__).parents[2]


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def separate_run(state_dir: Path, kind: str, *shell: str) -> Iterator["subprocess.Popen[str]"]:
    """A supervisor in a process group of its own, as a terminal would start it, or as `shell` does."""
    with subprocess.Popen(
        [*shell, sys.executable, str(RUN), str(state_dir), kind],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def pids_when_up(run: "subprocess.Popen[str]") -> list[int]:
    assert run.stdout is not None
    pids = []
    for line in run.stdout:
        words = line.split()
        if words[1:2] == ["started"]:
            pids.append(int(words[3]))
        if words == ["up"]:
            return pids
    raise AssertionError(f"it never was up: {run.stderr.read() if run.stderr else ''}")


def interrupt_twice(run: "subprocess.Popen[str]") -> tuple[str, str]:
    """Press Ctrl-C, see that it waits for the stubborn one, press again; return what it still prints."""
    assert run.stdout is not None
    os.killpg(run.pid, signal.SIGINT)
    assert run.stdout.readline() == "quiet stopped was killed by SIGTERM\n"
    os.killpg(run.pid, signal.SIGINT)
    return run.communicate(timeout=AT_MOST)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_stops_all_within_the_bound_even_a_child_that_ignores_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    with separate_run(tmp_path, "bounded") as run:
        pids = pids_when_up(run)
        os.killpg(run.pid, number)
        output, errors = run.communicate(timeout=AT_MOST)
    assert (run.returncode, errors) == (0, "")
    assert sorted(output.splitlines()) == ["quiet stopped was killed by SIGTERM", "stubborn stopped killed"]
    assert len(pids) == 2
    assert not any(is_running(pid) for pid in pids)


def test_ctrl_c_stops_a_run_that_a_script_started_in_the_background(tmp_path: Path) -> None:
    ignoring_interrupts = ("/bin/sh", "-c", 'trap "" INT; exec "$0" "$@"')
    with separate_run(tmp_path, "bounded", *ignoring_interrupts) as run:
        pids = pids_when_up(run)
        os.killpg(run.pid, signal.SIGINT)
        run.communicate(timeout=AT_MOST)
    assert run.returncode == 0
    assert not any(is_running(pid) for pid in pids)


def test_a_second_ctrl_c_kills(tmp_path: Path) -> None:
    with separate_run(tmp_path, "patient") as run:
        pids = pids_when_up(run)
        output, errors = interrupt_twice(run)
    assert (run.returncode, output, errors) == (0, "stubborn stopped killed\n", "")
    assert not any(is_running(pid) for pid in pids)


def test_a_killed_supervisor_leaves_no_orphan_and_can_start_again_at_once(tmp_path: Path) -> None:
    with separate_run(tmp_path, "servers") as run:
        pids = pids_when_up(run)
        assert len(pids) == 4
        backends = [child for pid in pids for child in psutil.Process(pid).children(recursive=True)]
        processes = [*(psutil.Process(pid) for pid in pids), *backends]
        run.kill()
        run.wait()
    with separate_run(tmp_path, "servers") as run:
        assert len(pids_when_up(run)) == 4
        _, alive = psutil.wait_procs(processes, timeout=AT_MOST)
        assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
        interrupt_twice(run)
