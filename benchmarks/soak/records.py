"""What a soak yields, and how it is judged: growth after the warm-up, by regression."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import msgspec

from benchmarks.load.program import SoakTally
from benchmarks.records import Machine

MEMORY_LIMIT = 0.005
"""Target: memory grows by less than this share in ten minutes."""

COUNT_LIMIT = 0.02
COUNT_SLACK = 4.0
"""Counts of files, threads, tasks and series go up and down with the traffic: a trend below this many in ten minutes is none."""

WARM_UP_SHARE, WARM_UP_LEAST_S, WARM_UP_MOST_S = 0.25, 30.0, 300.0
"""Until then pools fill, caches and buffers grow to their size: no longer than five minutes."""

TRUSTWORTHY_MINUTES = 10.0
"""A trend of fewer minutes is mostly noise."""


class Sample(msgspec.Struct, frozen=True):
    """One worker at one moment."""

    pid: int
    at_s: float
    pss_mb: float
    uss_mb: float
    descriptors: int
    threads: int
    tasks: int
    objects: int
    """Containers that the garbage collector knows, those of the start left out."""
    series: int
    """Data points in the workers' latest metrics, all workers together."""
    cpu_s: float
    """Of the whole process tree so far."""


class Trend(msgspec.Struct, frozen=True):
    """How one quantity of one worker went."""

    what: str
    worker: int
    first: float
    """Median of the first tenth after the warm-up."""
    last: float
    """Median of the last tenth."""
    per_ten_minutes: float
    """Slope of the least-squares line."""
    limit: float
    """The most that this may be."""
    doubt: float = 0.0
    """What of the slope may be chance: twice its standard error. Counts only; memory is judged without mercy."""

    @property
    def flat(self) -> bool:
        return self.per_ten_minutes - self.doubt <= self.limit


class SoakResult(msgspec.Struct, frozen=True):
    """Everything of one soak."""

    machine: Machine
    minutes: float
    rate: float
    workers: int
    samples: tuple[Sample, ...]
    tallies: tuple[SoakTally, ...]
    server_spans: int
    latest_ms: float = 0.0
    """How late a request was begun at the worst."""

    @property
    def sent(self) -> int:
        return sum(tally.sent for tally in self.tallies)

    @property
    def unexpected(self) -> int:
        return self.sent - sum(tally.as_expected for tally in self.tallies)

    @property
    def warm_up_s(self) -> float:
        return min(WARM_UP_MOST_S, max(WARM_UP_LEAST_S, self.minutes * 60 * WARM_UP_SHARE))

    def trends(self) -> list[Trend]:
        """Per quantity and worker. Raises nothing: with too few samples there are none."""
        made: list[Trend] = []
        for number, pid in enumerate(dict.fromkeys(sample.pid for sample in self.samples), 1):
            own = [sample for sample in self.samples if sample.pid == pid and sample.at_s >= self.warm_up_s]
            # The last ones, when the load has just ended, see a gateway that is becoming idle.
            own = [sample for sample in own if sample.at_s <= self.minutes * 60 - 1]
            if len(own) >= 3:
                made += [_trend(what, number, own, value) for what, value in _QUANTITIES.items()]
        return made

    def faults(self) -> list[str]:
        """A sentence for everything that is not as it should be."""
        said = [
            f"{tally.name}: {tally.sent - tally.as_expected} of {tally.sent} went otherwise ({tally.reason})"
            for tally in self.tallies
            if tally.as_expected != tally.sent
        ]
        if self.server_spans != self.sent:
            said.append(f"{self.sent} requests made {self.server_spans} SERVER spans")
        trends = self.trends()
        if not trends:
            said.append("too short to say anything about growth")
        return said + [
            f"worker {trend.worker}: {trend.what} grew by {trend.per_ten_minutes:.2f} in ten minutes, limit {trend.limit:.2f}"
            for trend in trends
            if not trend.flat
        ]


_QUANTITIES: dict[str, Callable[[Sample], float]] = {
    "PSS, MB": lambda sample: sample.pss_mb,
    "USS, MB": lambda sample: sample.uss_mb,
    "open files": lambda sample: sample.descriptors,
    "threads": lambda sample: sample.threads,
    "tasks": lambda sample: sample.tasks,
    "metric series": lambda sample: sample.series,
}


def _trend(what: str, worker: int, samples: Sequence[Sample], value: Callable[[Sample], float]) -> Trend:
    values = [value(sample) for sample in samples]
    times = [sample.at_s for sample in samples]
    slope, level = statistics.linear_regression(times, values)
    tenth = max(1, len(values) // 10)
    first, last, mean = statistics.median(values[:tenth]), statistics.median(values[-tenth:]), statistics.fmean(values)
    if what.endswith("MB"):
        return Trend(what, worker, first, last, slope * 600, mean * MEMORY_LIMIT)
    off = sum((value - level - slope * time) ** 2 for time, value in zip(times, values, strict=True))
    error = (off / (len(values) - 2) / (statistics.pvariance(times) * len(times))) ** 0.5
    return Trend(what, worker, first, last, slope * 600, max(COUNT_SLACK, mean * COUNT_LIMIT), 2 * error * 600)
