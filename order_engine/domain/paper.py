"""How our own paper network is told from every other chain: by the first half of its genesis hash."""

import hashlib
from typing import Final

from solders.hash import Hash

PAPER_GENESIS_PREFIX: Final = hashlib.sha256(b"order-engine paper network").digest()[:16]


def is_paper_network(genesis_hash: Hash) -> bool:
    return bytes(genesis_hash).startswith(PAPER_GENESIS_PREFIX)
