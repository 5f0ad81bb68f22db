"""What a watcher may see: a contiguous part of an order's life, without repeat, and its end."""

from collections.abc import Iterator, Sequence

from tests.faults.evidence import Connection, Evidence, StoredEvent, Watcher


def every_watcher_saw_all_it_should(evidence: Evidence) -> Iterator[str]:
    for watcher in evidence.watchers:
        events = evidence.events.get(watcher.order_id, [])
        breaches = _of_grpc(watcher, events) if watcher.kind == "grpc" else _of_classic(watcher, events)
        for breach in breaches:
            yield f"a {watcher.kind} watcher of {watcher.order_id} {breach}"
        if watcher.end == "open":
            yield f"a {watcher.kind} watcher of {watcher.order_id} never saw its end"


def _of_grpc(watcher: Watcher, events: Sequence[StoredEvent]) -> Iterator[str]:
    """Sequences go on where the cursor was, over all connections, and each update is the stored event."""
    stored = {event.sequence: event.status for event in events}
    for connection in watcher.connections:
        sequences = [sequence for sequence, _ in connection.seen]
        first = connection.after_sequence + 1
        if sequences != list(range(first, first + len(sequences))):
            yield f"resumed after {connection.after_sequence} and saw {sequences}"
        for sequence, status in connection.seen:
            if stored.get(sequence) != status:
                yield f"saw {status} as {sequence}, stored is {stored.get(sequence)}"
    yield from _end(watcher, [sequence for one in watcher.connections for sequence, _ in one.seen], len(events))


def _of_classic(watcher: Watcher, events: Sequence[StoredEvent]) -> Iterator[str]:
    """Each connection tells the life from its beginning; a cancel request is not in the classic vocabulary."""
    life = [_classic(event.status) for event in events if not _is_hidden(event)]
    for connection in watcher.connections:
        told = [status for _, status in connection.seen]
        if told != life[: len(told)]:
            yield f"was told {told} of {life}"
    if watcher.end == "terminal" and _told(watcher.connections) != len(life):
        yield f"ended after {_told(watcher.connections)} of {len(life)} frames"


def _end(watcher: Watcher, seen: Sequence[int], count: int) -> Iterator[str]:
    if len(set(seen)) != len(seen):
        yield f"saw repeats: {seen}"
    if watcher.end == "terminal" and (not seen or seen[-1] != count):
        yield f"ended after {seen[-1:]} of {count}"


def _told(connections: Sequence[Connection]) -> int:
    return len(connections[-1].seen) if connections else 0


def _is_hidden(event: StoredEvent) -> bool:
    return event.kind == "CancelRequested" and event.status == "submitted"


def _classic(status: str) -> str:
    return "failed" if status in ("cancelled", "expired") else status
