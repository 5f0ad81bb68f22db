"""What a paper network derives from its seed alone: genesis hash, blockhashes, the network's own keys."""

import hashlib
import struct
from typing import Final

from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from order_engine.domain.paper import PAPER_GENESIS_PREFIX

FIRST_HEIGHT: Final = 1_000
SLOT_OFFSET: Final = 400_000_000  # today's epochs: dumped accounts hold slots and epochs of the main network
SLOTS_PER_EPOCH: Final = 432_000
BLOCKHASH_VALID_BLOCKS: Final = 150
CONFIRMED_LAG: Final = 1
FINALIZED_LAG: Final = 32


def genesis_hash(seed: int) -> Hash:
    """Return 16 bytes that all paper networks share, then 16 bytes of the seed."""
    return Hash(PAPER_GENESIS_PREFIX + hashlib.sha256(str(seed).encode()).digest()[:16])


def blockhash(genesis: Hash, height: int) -> Hash:
    """Return the blockhash of a height. Derived, so that it survives a restart."""
    return Hash(hashlib.sha256(bytes(genesis) + struct.pack("<Q", height)).digest())


def network_keypair(genesis: Hash, role: str) -> Keypair:
    """Return a key of the network itself (faucet, market): worthless anywhere else."""
    return Keypair.from_seed(hashlib.sha256(role.encode() + bytes(genesis)).digest())


def lookup_table_address(genesis: Hash) -> Pubkey:
    """Return where the default world keeps its address lookup table."""
    return network_keypair(genesis, "lookup table").pubkey()


def slot_of(height: int) -> int:
    return SLOT_OFFSET + height


def fraction(*parts: object) -> float:
    """Return a number in [0, 1) that depends on the parts alone: chance that repeats with the same seed."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
