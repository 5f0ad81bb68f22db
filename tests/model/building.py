"""Route, build, sign, record, and only then send."""

from collections.abc import Iterator

from tests.model import at, words
from tests.model.hands import Hands, Job
from tests.model.layout import Step

_SHIFTS = (0, 2 * at.NO_SHIFT)


class Building(Hands):
    def route(self, now: bytes, job: Job) -> Iterator[Step]:
        new = bytearray(now)
        written = self.store.append(new, job.order, job.version, words.ROUTED, words.BUILDING)
        yield self.wrote(now, new, job, "BUILDING", words.BUILD, written=written)
        yield self._give_up(now, job, "no route")

    def build(self, now: bytes, job: Job) -> Iterator[Step]:
        """Simulate, then sign with a blockhash from any endpoint, however far behind it is."""
        yield self._give_up(now, job, "simulation failed")
        for endpoint in at.ENDPOINTS:
            new = bytearray(now)
            life = self.config.validity - now[at.LAG + endpoint]
            self._sign(now, new, job, life)
            new[self.at + at.STEP] = words.RECORD_BYTES
            if self.config.mutant == "send_first" and life >= 0:
                new[job.signature + at.SENT] = 1
            if self.config.strict_signing and now[job.order + at.VERDICTS] & words.SAID_CANCELLED:
                new[at.WRONG] = words.SIGNED_AFTER_CANCELLED
            text = f"signs {job.name}, blockhash from E{endpoint} (lag {now[at.LAG + endpoint]})"
            yield self.step(text, new)

    def record(self, now: bytes, job: Job) -> Iterator[Step]:
        new = bytearray(now)
        is_fenced = self.config.fence and not self.owns(now, job.order)
        written = not is_fenced and self.store.append(
            new, job.order, job.version, words.SIGNED, words.SUBMITTED, job.attempt, words.LIVE
        )
        yield self.wrote(now, new, job, f"SUBMITTED {job.name}", words.SEND, written=written)

    def send(self, now: bytes, job: Job) -> Iterator[Step]:
        new = bytearray(now)
        new[self.at + at.STEP] = words.LOOP
        if now[job.signature + at.LIFE] >= self.layout.zero_life:
            new[job.signature + at.SENT] = 1
        yield self.step(f"sends {job.name}", new)
        new = bytearray(now)
        new[self.at + at.STEP] = words.LOOP
        yield self.step(f"send of {job.name} lost or refused", new)
        if self.config.mutant == "refused_is_failed":
            new = bytearray(now)
            written = self.store.end_attempt(new, job.order, job.version, job.attempt, words.FAILED_ON_CHAIN)
            yield self.wrote(now, new, job, "refused, so failed", words.IDLE, written=written)

    def _give_up(self, now: bytes, job: Job, why: str) -> Step:
        new = bytearray(now)
        written = self.store.end_attempt(new, job.order, job.version)
        return self.wrote(now, new, job, why, words.IDLE, written=written)

    def _sign(self, now: bytes, new: bytearray, job: Job, life: int) -> None:
        """The signer keeps what it signed for an attempt: asked again, it returns the first bytes."""
        if not now[job.signature + at.SIGNED]:
            new[job.signature + at.SIGNED] = 1
            new[job.signature + at.LIFE] = self.layout.zero_life + life
            new[job.signature + at.SHIFT] = at.NO_SHIFT
        elif self.config.mutant == "caller_lvbh":
            shift = at.NO_SHIFT + life - (now[job.signature + at.LIFE] - self.layout.zero_life)
            new[job.signature + at.SHIFT] = max(_SHIFTS[0], min(_SHIFTS[1], shift))
