"""Signatures that landed: the recent ones in memory, all of them in the journal."""

from solders.signature import Signature

from order_engine.papernet.journal import Journal, SignatureEntry

RECENT_HEIGHTS = 300  # twice a blockhash's life: older signatures cannot land again, their blockhash is dead


class Landed:
    def __init__(self, journal: Journal, head: int) -> None:
        self._journal = journal
        entries = list(journal.landed_after(head - RECENT_HEIGHTS))
        self._recent = {entry.signature: entry for entry in reversed(entries)}
        self.count = journal.landed_count()

    def __contains__(self, signature: Signature) -> bool:
        return signature in self._recent

    def add(self, entries: list[SignatureEntry]) -> None:
        self._recent.update((entry.signature, entry) for entry in entries)
        self.count += len(entries)

    def forget(self, head: int) -> None:
        for signature, entry in list(self._recent.items()):
            if entry.height > head - RECENT_HEIGHTS:
                return
            del self._recent[signature]

    def find(self, signature: Signature, *, search_history: bool) -> SignatureEntry | None:
        recent = self._recent.get(signature)
        if recent is not None or not search_history:
            return recent
        stored = self._journal.find(signature)
        if stored is None:
            return None
        return SignatureEntry(
            signature=signature, height=stored.height, block_time=stored.block_time, error=stored.error
        )
