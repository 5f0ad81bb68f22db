"""What happens by itself: the chain, time, leases that pass, the sweeper, and Redis that loses and repeats hints."""

from collections.abc import Iterator

from tests.model import at, words
from tests.model.layout import Layout, Step

_UNLIMITED_SLOTS = 99
_ALARM_SET, _NO_ALARM = 1, 2


class Environment:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.config = layout.config

    def steps(self, now: bytes) -> Iterator[Step]:
        for number, order in enumerate(self.layout.orders):
            for attempt in self.layout.attempts:
                signature = self.layout.signature(order, attempt)
                if now[signature + at.SIGNED]:
                    yield from self._chain(now, signature, f"S{number}.{attempt}")
        if self._time_matters(now):
            yield from self._block(now)
        for endpoint in at.ENDPOINTS:
            if now[at.LAG + endpoint]:
                new = bytearray(now)
                new[at.LAG + endpoint] -= 1
                yield Step(f"E{endpoint}", "catches up", f"catch{endpoint}", False, new)
        yield from self._orders(now)
        if self.config.sweeper == "sleeps":
            yield from self._sleep(now)

    def _chain(self, now: bytes, signature: int, name: str) -> Iterator[Step]:
        """Land, be confirmed, or be dropped with the fork."""
        seen = now[signature + at.CHAIN]
        if seen == words.NOTHING and now[signature + at.SENT] and now[signature + at.LIFE] >= self.layout.zero_life:
            for landed, how in ((words.PROCESSED_OK, "ok"), (words.PROCESSED_FAIL, "failing")):
                new = bytearray(now)
                new[signature + at.CHAIN], new[signature + at.AGE] = landed, 0
                yield Step("chain", f"{name} lands {how} (processed)", None, False, new)
        if seen in (words.PROCESSED_OK, words.PROCESSED_FAIL):
            new = bytearray(now)
            new[signature + at.CHAIN] = words.CONFIRMED_OK if seen == words.PROCESSED_OK else words.CONFIRMED_FAIL
            yield Step("chain", f"{name} confirmed", "fork", False, new)
            yield Step("chain", f"fork with {name} dropped", None, True, _dropped(now, signature))
        may_drop = self.config.confirmed_may_drop and now[signature + at.AGE] < self.config.finality
        if may_drop and seen in (words.CONFIRMED_OK, words.CONFIRMED_FAIL):
            yield Step("chain", f"CONFIRMED fork with {name} dropped", None, True, _dropped(now, signature))

    def _time_matters(self, now: bytes) -> bool:
        """Whether a block changes anything, and is possible: at the depth of finality a fork is final or gone."""
        moving = bool(now[at.LAG] or now[at.LAG + 1])
        for order in self.layout.orders:
            for attempt in self.layout.attempts:
                signature = self.layout.signature(order, attempt)
                if not now[signature + at.SIGNED]:
                    continue
                seen, age = now[signature + at.CHAIN], now[signature + at.AGE]
                if seen in (words.PROCESSED_OK, words.PROCESSED_FAIL) and age + 1 >= self.config.finality:
                    return False
                moving = moving or now[signature + at.LIFE] > 1 or bool(seen and age < self.config.max_lag)
        return moving or any(
            now[worker + at.PAST] and now[worker + at.SINCE] < self.config.max_lag for worker in self.layout.workers
        )

    def _block(self, now: bytes) -> Iterator[Step]:
        """One block. The endpoints follow, or fall behind by one, which is a fault."""
        stalls: list[tuple[int, ...]] = [()]
        if self.config.faults:
            stalls += [(endpoint,) for endpoint in self.config.lagging]
            stalls += [at.ENDPOINTS] if len(self.config.lagging) == len(at.ENDPOINTS) else []
        for behind in stalls:
            if any(now[at.LAG + endpoint] >= self.config.max_lag for endpoint in behind):
                continue
            new = bytearray(now)
            for endpoint in behind:
                new[at.LAG + endpoint] += 1
            self._grow_older(new)
            text = "block" + "".join(f", E{endpoint} falls behind" for endpoint in behind)
            yield Step("time", text, "tick", bool(behind), new)

    def _grow_older(self, new: bytearray) -> None:
        longest = self.config.max_lag
        for order in self.layout.orders:
            for attempt in self.layout.attempts:
                signature = self.layout.signature(order, attempt)
                if new[signature + at.SIGNED]:
                    new[signature + at.LIFE] = max(1, new[signature + at.LIFE] - 1)
                    if new[signature + at.CHAIN]:
                        new[signature + at.AGE] = min(longest, new[signature + at.AGE] + 1)
        for worker in self.layout.workers:
            if new[worker + at.PAST] and new[worker + at.SINCE] < longest:
                new[worker + at.SINCE] += 1

    def _orders(self, now: bytes) -> Iterator[Step]:
        limit = self.config.limit
        free = max(0, limit - self.layout.in_flight(now)) if limit else _UNLIMITED_SLOTS
        for number, order in enumerate(self.layout.orders):
            if now[order + at.WAITS]:
                new = bytearray(now)
                new[order + at.WAITS] = 0
                yield Step("time", f"next_attempt_at of O{number} reached", f"wait{number}", False, new)
            yield from self._lease(now, number, order)
            is_due = self._is_due(now, order)
            if self._hints(now, order, free, is_due=is_due):
                yield Step("sweeper", f"hints O{number}", f"sweep{number}", False, _hinted(now, order, 1))
            if is_due:
                free -= 1  # the oldest come first: a younger one gets what they leave
            if self.config.faults:
                yield from self._redis(now, number, order)

    def _lease(self, now: bytes, number: int, order: int) -> Iterator[Step]:
        """A lease passes by the database's clock when nobody renews it; that its holder is paused is a fault."""
        if not now[order + at.OWNER] or now[order + at.LEASE_PASSED]:
            return
        worker = self.layout.workers[now[order + at.OWNER] - 1]
        is_held = now[worker + at.STEP] != words.IDLE and now[worker + at.ORDER] == number
        if not is_held or self.config.faults:
            new = bytearray(now)
            new[order + at.LEASE_PASSED] = 1
            why = " (holder paused)" if is_held else ""
            yield Step("time", f"lease of O{number} passes{why}", f"lease{number}", is_held, new)

    def _is_due(self, now: bytes, order: int) -> bool:
        unleased = self.config.lease_on_retry == "cleared" or not now[order + at.OWNER] or now[order + at.LEASE_PASSED]
        return bool(now[order + at.STATUS] == words.PENDING and not now[order + at.WAITS] and unleased)

    def _hints(self, now: bytes, order: int, free: int, *, is_due: bool) -> bool:
        """Start hints as far as slots are free; takeover hints need none."""
        if now[order + at.HINTED] or (self.config.sweeper == "sleeps" and now[at.ASLEEP]):
            return False
        is_lost = now[order + at.STATUS] in words.IN_FLIGHT and (
            now[order + at.LEASE_PASSED] or self.config.mutant == "no_lease"
        )
        return (is_due and free > 0) or bool(is_lost and (self.config.sweeper != "slots_for_all" or free > 0))

    def _redis(self, now: bytes, number: int, order: int) -> Iterator[Step]:
        if now[order + at.HINTED]:
            yield Step("redis", f"loses the hint of O{number}", None, True, _hinted(now, order, 0))
        elif now[order + at.STATUS] not in words.TERMINAL and now[order + at.STATUS] != words.ABSENT:
            yield Step("redis", f"duplicates a hint of O{number}", None, True, _hinted(now, order, 1))

    def _sleep(self, now: bytes) -> Iterator[Step]:
        """The variant that sleeps until the earliest next_attempt_at it knows of, and for ever without one."""
        is_waiting = any(now[order + at.WAITS] for order in self.layout.orders)
        is_ready = any(
            now[order + at.STATUS] == words.PENDING and not now[order + at.WAITS] for order in self.layout.orders
        )
        new = bytearray(now)
        if not now[at.ASLEEP] and not is_ready:
            new[at.ASLEEP] = _ALARM_SET if is_waiting else _NO_ALARM
            text = "sleeps until the earliest next_attempt_at" if is_waiting else "sleeps: no next_attempt_at"
            yield Step("sweeper", text, None, False, new)
        elif now[at.ASLEEP] == _ALARM_SET and not is_waiting:
            new[at.ASLEEP] = 0
            yield Step("sweeper", "wakes", "wake", False, new)


def _dropped(now: bytes, signature: int) -> bytearray:
    new = bytearray(now)
    new[signature + at.CHAIN] = new[signature + at.AGE] = 0
    return new


def _hinted(now: bytes, order: int, hinted: int) -> bytearray:
    new = bytearray(now)
    new[order + at.HINTED] = hinted
    return new
