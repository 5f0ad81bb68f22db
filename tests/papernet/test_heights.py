"""Height and chain time never go back, whatever the machine's clock does between two starts."""

from pathlib import Path

from order_engine.papernet.genesis import genesis_hash
from order_engine.papernet.heights import Heights
from order_engine.papernet.journal import Journal

HOUR_MS = 3_600_000
NOW_MS = 1_700_000_000_000


def _heights(journal: Journal, now_ms: int) -> Heights:
    return Heights(journal, genesis_hash(1), 400, now_ms)


def test_a_restart_goes_on_above_every_height_ever_seen_and_close_to_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    last = 0
    for steps in (0, 1, 7, 8, 9, 40, 3):
        heights = _heights(journal, NOW_MS)
        assert last < heights.head <= last + 17 or last == 0
        for _ in range(steps):
            heights.advance()
        last = heights.head
    journal.close()


def test_chain_time_does_not_follow_a_clock_that_goes_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    before = _heights(journal, NOW_MS)
    for _ in range(20):
        before.advance()
    after = _heights(journal, NOW_MS - HOUR_MS)
    assert after.unix_timestamp(after.head) >= before.unix_timestamp(before.head)
    later = _heights(journal, NOW_MS + HOUR_MS)
    assert later.unix_timestamp(later.head) == (NOW_MS + HOUR_MS) // 1000
    journal.close()


def test_blockhashes_are_the_same_after_a_restart_and_count_as_recent(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    before = _heights(journal, NOW_MS)
    known = before.blockhash(before.head)
    after = _heights(journal, NOW_MS)
    assert after.height_of(known) == before.head
    assert after.is_valid(known, before.head + 150)
    assert not after.is_valid(known, before.head + 151)
    journal.close()
