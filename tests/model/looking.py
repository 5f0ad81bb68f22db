"""Looking for a recorded transaction until it has landed or can never land: height first, then find."""

from collections.abc import Iterator

from tests.model import at, words
from tests.model.hands import Hands, Job
from tests.model.layout import Step

_BOTH_NULL = 3


class Looking(Hands):
    def look(self, now: bytes, job: Job) -> Iterator[Step]:
        """Read the order again, then the height."""
        order, new = job.order, bytearray(now)
        is_ours = now[order + at.STATUS] == words.SUBMITTED and self.owns(now, order)
        if not is_ours or now[order + at.ATTEMPT] != job.attempt:
            self.resume(new, order)
            yield self.step("reloads: not its attempt any more", new)
        elif self.config.mutant == "find_first":
            self._begin(now, new, order)
            yield self.step("reads the order", new)
        else:
            yield from self._heights(now, job)

    def find(self, now: bytes, job: Job) -> Iterator[Step]:
        """Ask one endpoint, or one of the nodes behind the one URL."""
        place = now[self.at + at.STEP] - words.FIND_FIRST
        for endpoint in at.ENDPOINTS if self._asks_one else (place,):
            seen = self._view(now, job, endpoint)
            new = bytearray(now)
            if seen:
                self.decide(new, words.IS_LANDED if seen == words.CONFIRMED_OK else words.IS_FAILED)
                yield self.step(f"E{endpoint}: found {words.SIGHTS[seen]}", new)
            else:
                text = self._not_found(now, new, job, endpoint)
                yield self.step(f"E{endpoint}: {text}", new)

    def height_at_last(self, now: bytes, job: Job) -> Iterator[Step]:
        """The mutant reads the height when the nulls are in already."""
        for endpoint, ahead in self._readings():
            new = bytearray(now)
            is_past = self._read_height(now, new, job, endpoint, ahead)
            if is_past and now[self.at + at.NULLS] == _BOTH_NULL:
                new[self.at + at.DECISION], new[self.at + at.STEP] = words.IS_DEAD, words.APPEND
            else:
                self.forget(new)
                new[self.at + at.STEP] = words.SEND
            yield self.step(f"height of E{endpoint}: {'past' if is_past else 'not past'}", new)

    def append(self, now: bytes, job: Job) -> Iterator[Step]:
        new = bytearray(now)
        order, version, attempt = job.order, job.version, job.attempt
        decision = now[self.at + at.DECISION]
        if decision == words.IS_LANDED:
            what = "CONFIRMED"
            written = self.store.append(new, order, version, words.LANDED, words.CONFIRMED, attempt, words.SUCCEEDED)
        elif decision == words.IS_FAILED:
            what = f"{job.name} failed on chain"
            written = self.store.end_attempt(new, order, version, attempt, words.FAILED_ON_CHAIN)
        else:
            what = f"{job.name} is dead"
            written = self.store.end_attempt(new, order, version, attempt, words.DEAD)
        yield self.wrote(now, new, job, what, words.IDLE, written=written)

    @property
    def _asks_one(self) -> bool:
        return self.config.one_url or self.config.quorum == "any"

    def _begin(self, now: bytes, new: bytearray, order: int) -> None:
        self.forget(new)
        new[self.at + at.VERSION] = now[order + at.SEQUENCE]
        new[self.at + at.SAW_CANCEL] = now[order + at.CANCEL_ASKED]
        new[self.at + at.STEP] = words.FIND_FIRST

    def _heights(self, now: bytes, job: Job) -> Iterator[Step]:
        known = set()
        for endpoint, ahead in self._readings():
            new = bytearray(now)
            self._begin(now, new, job.order)
            is_past = self._read_height(now, new, job, endpoint, ahead)
            if bytes(new) not in known:
                known.add(bytes(new))
                result = "past" if is_past else "not past"
                yield self.step(f"reads the order, then height of E{endpoint}: {result}", new)

    def _readings(self) -> Iterator[tuple[int, int]]:
        """Endpoint, and how far ahead of the tip its view may be: a processed fork can be one block longer."""
        for endpoint in at.ENDPOINTS:
            yield endpoint, 0
            if self.config.height == "processed":
                yield endpoint, 1

    def _read_height(self, now: bytes, new: bytearray, job: Job, endpoint: int, ahead: int) -> bool:
        is_past = self._is_past(now, job, endpoint, ahead)
        if is_past:
            since = min(self.config.max_lag, now[at.LAG + endpoint] + self.config.finality)
            new[self.at + at.PAST], new[self.at + at.SINCE] = 1, since
        return is_past

    def _is_past(self, now: bytes, job: Job, endpoint: int, ahead: int) -> bool:
        life = now[job.signature + at.LIFE] - self.layout.zero_life + now[job.signature + at.SHIFT] - at.NO_SHIFT
        lag = now[at.LAG + endpoint]
        margin = self.config.margin if self.config.use_margin else 0
        if self.config.height == "finalized":
            return life < -(lag + self.config.finality + margin)
        return life < ahead - lag - margin

    def _view(self, now: bytes, job: Job, endpoint: int) -> int:
        """Return how an endpoint that searches its whole history knows the signature, 0 = not at `confirmed`."""
        seen = now[job.signature + at.CHAIN]
        is_silent = self.config.silent_endpoint and endpoint == 1
        if is_silent or now[job.signature + at.AGE] < now[at.LAG + endpoint]:
            return words.NOTHING
        if seen in (words.CONFIRMED_OK, words.CONFIRMED_FAIL):
            return seen
        if seen == words.PROCESSED_FAIL and self.config.mutant == "processed_failures":
            return words.CONFIRMED_FAIL
        return words.NOTHING

    def _not_found(self, now: bytes, new: bytearray, job: Job, endpoint: int) -> str:
        is_past = bool(now[self.at + at.PAST])
        text = "null"
        if not self._counts(now, job, endpoint):
            text = "behind min_context_slot"
        elif is_past or self.config.mutant == "find_first":
            new[self.at + at.NULLS] |= _BOTH_NULL if self._asks_one else 1 << endpoint
        nulls = new[self.at + at.NULLS]
        if now[self.at + at.STEP] == words.FIND_FIRST and not self._asks_one:
            new[self.at + at.STEP] = words.FIND_SECOND
        elif self.config.mutant == "find_first":
            new[self.at + at.STEP] = words.HEIGHT
        elif is_past and (nulls == _BOTH_NULL or (self.config.quorum == "answered" and nulls)):
            self.decide(new, words.IS_DEAD)
            return f"{text}, so dead"
        else:
            self.forget(new)
            new[self.at + at.STEP] = words.LOOP if now[self.at + at.SAW_CANCEL] else words.SEND
        return text

    def _counts(self, now: bytes, job: Job, endpoint: int) -> bool:
        """Whether a null of this endpoint may count: the reply must not be older than the height."""
        config = self.config
        if config.silent_endpoint and endpoint == 1:
            return False
        if not now[self.at + at.PAST]:
            return True
        if config.own_height and not self._is_past(now, job, endpoint, 0):
            return False
        is_older = now[at.LAG + endpoint] > now[self.at + at.SINCE]
        return not (is_older and config.context and not config.fork_context)
