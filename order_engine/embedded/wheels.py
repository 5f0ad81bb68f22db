"""Where the servers' binaries lie. The packages that carry them are never imported."""

from importlib.util import find_spec
from pathlib import Path

from order_engine.embedded.errors import MissingBinaries


def binary(package: str, pattern: str) -> Path:
    """Return the newest match of `pattern` inside an installed package.

    Raises:
        MissingBinaries.
    """
    spec = find_spec(package)
    roots = list(spec.submodule_search_locations or ()) if spec else []
    matches = sorted(path for root in roots for path in Path(root).glob(pattern))
    if not matches:
        raise MissingBinaries(package, pattern)
    return matches[-1]
