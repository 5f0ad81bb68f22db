"""A run's figures as people and as programs read them."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

Figures = dict[str, float]

RESULTS: Final = Path(__file__).parent / "results"
_GIT: Final = ("git", "-C", str(Path(__file__).parent))


def describe(figures: Mapping[str, float]) -> str:
    """Return the figures as tables, the engine beside the bare server."""
    lines = [
        "",
        f"{'submit, callers':<22}{'engine p50':>12}{'p99':>9}{'per s':>9}{'bare p50':>12}{'p99':>9}{'per s':>9}",
    ]
    for callers in (1, 16, 64):
        row = f"{callers:<22}"
        for name, width in (("engine", 12), ("bare", 12)):
            start = f"{name}_submit_c{callers}"
            row += f"{figures[f'{start}_p50_ms']:>{width}.1f}{figures[f'{start}_p99_ms']:>9.1f}"
            row += f"{figures[f'{start}_per_second']:>9.0f}"
        lines.append(row)
    ours, floor = figures["engine_orders_c64_per_second"], figures["bare_orders_c64_per_second"]
    lines += [
        "",
        f"whole orders, 64 callers   {ours:.0f}/s; bare {floor:.0f}/s; ratio {ours / floor:.2f}; "
        f"confirmed {100 * figures['engine_orders_c64_confirmed_share']:.1f} %, "
        f"unfinished {figures['engine_orders_c64_unfinished']:.0f}",
    ]
    for callers in (1, 64):
        p50, p99 = figures[f"engine_event_c{callers}_p50_ms"], figures[f"engine_event_c{callers}_p99_ms"]
        lines.append(f"event to client, {callers:>2} callers  p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    lines += ["", f"{'process':<12}{'CPU ms per order':>18}{'RSS MB':>10}"]
    for name in sorted(name for name in figures if name.startswith("cpu_")):
        kind = name.removeprefix("cpu_").removesuffix("_ms_per_order")
        lines.append(f"{kind:<12}{figures[name]:>18.2f}{figures[f'rss_{kind}_mb']:>10.0f}")
    return "\n".join(lines)


def save(figures: Mapping[str, float], kind: str = "") -> Path:
    """Write <date>-<commit>[-<kind>].json and return its path; `+` marks a tree with changes not committed."""
    now, commit = datetime.now(UTC), _git("rev-parse", "--short", "HEAD") or "unknown"
    changed = "+" if _git("status", "--porcelain", "--untracked-files=no") else ""
    kept = {
        "time": now.isoformat(timespec="seconds"),
        "commit": commit + changed,
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "system": platform.platform(),
            "python": platform.python_version(),
            "load_average": [round(load, 1) for load in os.getloadavg()],
        },
        "figures": {name: round(value, 3) for name, value in sorted(figures.items())},
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%d}-{commit}{changed}{kind and f'-{kind}'}.json"
    path.write_text(json.dumps(kept, indent=2) + "\n")
    return path


def _git(*arguments: str) -> str:
    try:
        return subprocess.run([*_GIT, *arguments], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
