"""Delivers spans and log records, and loses none of them silently.

One thread per signal takes batches off a bounded queue and **keeps each batch until it is accepted**: the stock exporter
gives a batch up after six tries or ten seconds, and a Collector that is away for a minute then costs thousands of spans.
While the receiver is away the queue fills; beyond its bound the oldest goes, and is counted.

A batch whose answer was lost (deadline, broken connection) is sent again, and if the Collector had accepted it after all,
it counts these items twice. OTLP has no idempotency key, so the choice is between that and loss; it takes a Collector that
accepts and then fails to answer.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gatewayz.telemetry.delivery.queue import Account, ByteQueue
from gatewayz.telemetry.delivery.thread import DeadlineThread
from gatewayz.telemetry.delivery.transport import SendResult, Transport
from gatewayz.telemetry.light_spans import RecordedSpan

logger = logging.getLogger(__name__)

BATCH_ITEMS = 128
BATCH_BYTES = 3_500_000
"""Receivers take messages of up to 4 MiB; the frame around the items needs a little of that."""
ENCODE_SLICE = 32
"""Items encoded before other threads may run: a longer slice holds the interpreter lock and makes the request tail."""
FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 5.0
DOUBTFUL_TRIES = 5
ITEM_OVERHEAD_BYTES = 180
"""What an encoded item costs in memory beyond its bytes: object headers and its place in the queue."""
COMPLAINT_INTERVAL_S = 60.0

Raw = TypeVar("Raw")
_Raw_contra = TypeVar("_Raw_contra", contravariant=True)
Ready = tuple[InstrumentationScope | None, bytes]


class ItemEncoder(Protocol[_Raw_contra]):
    def item(self, item: _Raw_contra, /) -> Ready: ...
    def request(self, items: list[Ready], /) -> bytes: ...


class Exporter(Generic[Raw]):
    """One signal's queue, thread and transport. ``start`` it after fork, ``close`` it once."""

    def __init__(
        self,
        signal: str,
        encoder: ItemEncoder[Raw],
        transport: Transport,
        *,
        capacity_bytes: int,
        delay_s: float = 0.2,
        timeout_s: float = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.signal = signal
        self._encoder = encoder
        self._transport = transport
        self._batch_bytes = min(BATCH_BYTES, capacity_bytes // 4)
        self._delay_s = delay_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._queue: ByteQueue[Raw, Ready] = ByteQueue(signal, capacity_bytes, wake_at=BATCH_ITEMS)
        self.put = self._queue.put
        self._thread = DeadlineThread(f"gatewayz-{signal}", self._run, wake=self._queue.wake.set, clock=clock)
        self._away = False
        self._complained_at = float("-inf")

    def start(self) -> None:
        self._thread.start()

    def account(self) -> Account:
        return self._queue.account()

    def flush_until(self, deadline: float) -> None:
        """Stop waiting for more and deliver what is there until ``deadline`` (of the clock). Returns at once."""
        self._thread.flush_until(deadline)

    def close(self) -> None:
        """Wait for the flush; at its deadline break off, and count what is left as dropped."""
        self._thread.join()
        self._queue.close()
        self._transport.abort()
        self._thread.join(0.5)
        self._transport.close()

    def _run(self) -> None:
        while not self._thread.closing.is_set():
            self._queue.wake.wait(self._delay_s)
            self._queue.wake.clear()
            self._deliver()
        # Whatever was put in after the last look.
        self._deliver()

    def _deliver(self) -> None:
        try:
            self._send_all()
        except Exception:  # a defect of ours must cost a batch at most, not the thread
            self._queue.give_up_batch("encoding")
            logger.exception("Delivery failed")

    def _send_all(self) -> None:
        """Send until nothing waits, or until closing has run out of time."""
        while self._clock() < self._thread.deadline:
            self._encode()
            batch = self._queue.take_batch(BATCH_ITEMS, self._batch_bytes)
            if not batch:
                return
            self._send(batch)

    def _encode(self) -> None:
        while True:
            raw = self._queue.take_raw(ENCODE_SLICE)
            if not raw:
                return
            ready: list[tuple[Ready, int]] = []
            for item in raw:
                # One odd item must not stop the others.
                with contextlib.suppress(Exception):
                    scope, encoded = self._encoder.item(item)
                    ready.append(((scope, encoded), len(encoded) + ITEM_OVERHEAD_BYTES))
            if len(ready) < len(raw):
                self._queue.give_up(len(raw) - len(ready), "encoding")
            self._queue.made_ready(ready)
            # Lets the event loop run now, not after the interpreter's switch interval of 5 ms.
            time.sleep(0)

    def _send(self, batch: list[Ready]) -> None:
        payload = self._encoder.request(batch)
        tries = doubtful = 0
        while True:
            left = self._thread.deadline - self._clock()
            if left <= 0:
                return
            answer = self._transport.send(payload, min(self._timeout_s, left))
            tries += 1
            doubtful += answer.kind == "doubtful"
            match answer.kind:
                case "accepted":
                    rejected = min(answer.rejected, len(batch))
                    self._queue.settle(len(batch) - rejected, rejected, "rejected")
                    self._recovered(rejected, answer)
                    return
                case "refused":
                    self._refused(batch, answer)
                    return
                case "doubtful" if doubtful >= DOUBTFUL_TRIES:
                    self._refused(batch, answer)
                    return
                case "retry" | "doubtful":
                    self._wait(tries, answer)

    def _refused(self, batch: list[Ready], answer: SendResult) -> None:
        self._queue.settle(0, len(batch), "refused")
        self._complain("The receiver refuses %s for good (%s); they are dropped and counted.", answer)

    def _wait(self, tries: int, answer: SendResult) -> None:
        """Back off, with jitter so that workers do not come back in step; encode meanwhile, which saves memory."""
        self._away = True
        self._complain("The receiver of %s cannot be reached (%s); they are kept and sent again.", answer)
        pause = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(tries - 1, 10)) * random.uniform(0.5, 1)  # noqa: S311
        until = self._clock() + max(pause, answer.retry_after_s or 0)
        while (left := min(until, self._thread.deadline) - self._clock()) > 0:
            if self._thread.closing.is_set():
                time.sleep(min(left, 0.05))
            else:
                self._queue.wake.wait(min(left, self._delay_s))
                self._queue.wake.clear()
            self._encode()

    def _recovered(self, rejected: int, answer: SendResult) -> None:
        if rejected:
            self._complain("The receiver rejected some %s (%s); they are dropped and counted.", answer)
        if self._away:
            self._away = False
            self._complained_at = float("-inf")
            logger.warning("The receiver of %s can be reached again; what waited is being delivered.", self.signal)

    def _complain(self, message: str, answer: SendResult) -> None:
        """Log it once a minute. These lines go to stdout only (logs.py), never into the queue they are about."""
        now = self._clock()
        if now - self._complained_at >= COMPLAINT_INTERVAL_S:
            self._complained_at = now
            logger.warning(message, self.signal, answer.reason)


class QueueingProcessor(SpanProcessor):
    """Hands every ended span to the exporter's queue and does nothing else on the caller's thread."""

    def __init__(self, exporter: Exporter[ReadableSpan]) -> None:
        self._exporter = exporter

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        self._exporter.put(span, span_bytes(span))

    def shutdown(self) -> None:
        pass  # Telemetry.close does it, within its own deadline

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def span_bytes(span: ReadableSpan) -> int:
    """What a span takes in memory until it is encoded, about: measured with tracemalloc, ours with 17 to 19 attributes, the
    SDK's with 11."""
    attributes = span.attributes
    count = len(attributes) if attributes is not None else 0
    return 600 + 30 * count if isinstance(span, RecordedSpan) else 1600 + 130 * count
