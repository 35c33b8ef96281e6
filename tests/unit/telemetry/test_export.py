"""Delivery: a receiver that is away, slow, odd or dead, and books that always balance."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gatewayz.telemetry.delivery import destination
from gatewayz.telemetry.delivery.encode import LogEncoder, LogItem
from gatewayz.telemetry.delivery.exporter import Exporter
from gatewayz.telemetry.delivery.queue import Account
from gatewayz.telemetry.delivery.transport import SendResult, open_transport, retry_after
from tests.fakes.otlp import Behaviour, GrpcSink, HttpSink
from tests.polling import eventually
from tests.unit.telemetry.conftest import Opener, one_request

Maker = Callable[..., Exporter[LogItem]]


@pytest.fixture
def exporter() -> Iterator[Maker]:
    """Makes running exporters of log records and breaks them off afterwards."""
    alive: list[Exporter[LogItem]] = []

    def make(
        sink: GrpcSink | HttpSink, capacity_bytes: int = 50_000_000, timeout_s: float = 5, **more: str
    ) -> Exporter[LogItem]:
        to = destination.destination("logs", {**sink.environment, **more})
        assert to is not None
        encoder = LogEncoder(Resource({"service.name": "x"}), InstrumentationScope("s"))
        made = Exporter(
            "logs", encoder, open_transport(to), capacity_bytes=capacity_bytes, delay_s=0.02, timeout_s=timeout_s
        )
        alive.append(made)
        made.start()
        return made

    yield make
    for one in alive:
        one.flush_until(time.monotonic())
        one.close()


def put(exporter: Exporter[LogItem], number: int) -> None:
    line = b'{"n":%d}' % number
    exporter.put(LogItem(1 + number, 9, "INFO", "info", "test", line, 0, 0), len(line) + 400)


def bodies(sink: GrpcSink | HttpSink) -> list[str]:
    return [record.body.string_value for record in sink.received.records]


def balanced(account: Account) -> bool:
    return account.emitted == account.delivered + sum(account.dropped.values()) + account.queued


def close(exporter: Exporter[LogItem], deadline_s: float = 5) -> Account:
    exporter.flush_until(time.monotonic() + deadline_s)
    exporter.close()
    return exporter.account()


def test_a_collector_that_is_away_for_a_while_loses_nothing_and_keeps_the_order(exporter: Maker) -> None:
    sink = GrpcSink(start=False)
    try:
        sending = exporter(sink)
        for number in range(700):
            put(sending, number)
        eventually(lambda: sending.account().queued == 700, deadline_s=10)
        sink.start()
        eventually(lambda: sending.account().delivered == 700, deadline_s=10)
        sink.stop()
        for number in range(700, 1000):
            put(sending, number)
        time.sleep(0.3)  # some tries must fail in between
        sink.start()
        eventually(lambda: sending.account().delivered == 1000, deadline_s=10)
        assert bodies(sink) == [f'{{"n":{number}}}' for number in range(1000)]
        assert sending.account() == Account("logs", 1000, 1000, {}, 0)
    finally:
        sink.stop()


def test_beyond_the_bound_the_oldest_go_and_are_counted_exactly(exporter: Maker) -> None:
    sink = GrpcSink(start=False)
    try:
        sending = exporter(sink, capacity_bytes=400_000)
        for number in range(5000):
            put(sending, number)
        lost = sending.account().dropped["overflow"]
        assert 0 < lost < 5000
        assert balanced(sending.account())
        sink.start()
        eventually(lambda: sending.account().queued == 0, deadline_s=10)
        account = sending.account()
        assert account.dropped["overflow"] + account.delivered == 5000
        arrived = [int(body[5:-1]) for body in bodies(sink)]
        assert len(arrived) == account.delivered
        assert arrived == sorted(set(arrived))
        assert arrived[-1] == 4999
    finally:
        sink.stop()


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED])
def test_a_permanent_error_drops_the_batch_and_counts_it(exporter: Maker, sink: GrpcSink, code: Any) -> None:
    sink.behave = lambda path, number: Behaviour(code=code if number == 1 else None)
    sending = exporter(sink)
    for number in range(10):
        put(sending, number)
    eventually(lambda: sending.account().queued == 0, deadline_s=10)
    put(sending, 10)
    account = close(sending)
    assert account.dropped["refused"] + account.delivered == 11
    assert account.dropped["refused"] >= 1
    assert balanced(account)


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
    ],
)
def test_a_passing_error_keeps_the_batch_until_it_is_accepted(exporter: Maker, sink: GrpcSink, code: Any) -> None:
    sink.behave = lambda path, number: Behaviour(code=code if number <= 2 else None)
    sending = exporter(sink)
    put(sending, 1)
    eventually(lambda: sending.account().delivered == 1, deadline_s=10)
    assert bodies(sink) == ['{"n":1}']
    assert sink.received.calls == 3


def test_what_a_partial_success_rejects_is_counted_as_dropped(exporter: Maker, sink: GrpcSink) -> None:
    sink.behave = lambda path, number: Behaviour(rejected=2)
    sending = exporter(sink)
    for number in range(100):
        put(sending, number)
    account = close(sending)
    calls = len(sink.received.logs)
    assert account == Account("logs", 100, 100 - 2 * calls, {"rejected": 2 * calls}, 0)


def test_an_item_that_cannot_be_encoded_is_counted_and_the_others_go_on(exporter: Maker, sink: GrpcSink) -> None:
    sending = exporter(sink)
    put(sending, 1)
    odd: Any = "not a log item"
    sending.put(odd, 10)
    put(sending, 2)
    assert close(sending) == Account("logs", 3, 2, {"encoding": 1}, 0)
    assert bodies(sink) == ['{"n":1}', '{"n":2}']


def test_a_defect_of_the_sender_costs_a_batch_and_not_the_thread(sink: GrpcSink) -> None:
    class Odd:
        """A transport that breaks its promise never to raise, once."""

        sends = 0

        def send(self, payload: bytes, timeout_s: float) -> SendResult:
            self.sends += 1
            if self.sends == 1:
                raise RuntimeError("a defect")
            return SendResult("accepted")

        def abort(self) -> None: ...
        def close(self) -> None: ...

    encoder = LogEncoder(Resource({}), InstrumentationScope("s"))
    sending = Exporter("logs", encoder, Odd(), capacity_bytes=1_000_000, delay_s=0.02)
    sending.start()
    put(sending, 1)
    eventually(lambda: sending.account().dropped == {"encoding": 1}, deadline_s=10)
    put(sending, 2)
    eventually(lambda: sending.account().delivered == 1, deadline_s=10)
    assert balanced(close(sending))


def test_batches_stay_small_enough_for_the_receiver(exporter: Maker, sink: GrpcSink) -> None:
    sending = exporter(sink)
    for number in range(40):
        line = b'{"n":%d,"x":"%s"}' % (number, b"x" * 300_000)
        sending.put(LogItem(1, 9, "INFO", "info", "test", line, 0, 0), len(line))
    eventually(lambda: sending.account().delivered == 40, deadline_s=10)
    assert max(sink.received.sizes) < 4 * 1024 * 1024
    assert max(len(r.resource_logs[0].scope_logs[0].log_records) for r in sink.received.logs) > 1


def test_a_collector_that_accepts_and_never_answers_does_not_hold_up_closing(exporter: Maker, sink: GrpcSink) -> None:
    sink.behave = lambda path, number: Behaviour(hang_s=60)
    sending = exporter(sink, timeout_s=30)
    for number in range(300):
        put(sending, number)
    eventually(lambda: sink.received.calls == 1, deadline_s=10)
    before = time.monotonic()
    account = close(sending, deadline_s=0.5)
    assert time.monotonic() - before < 5
    assert account.queued == 0
    assert account.dropped == {"shutdown": 300}
    assert account.emitted == 300


def test_what_comes_after_closing_is_counted_as_dropped(exporter: Maker, sink: GrpcSink) -> None:
    sending = exporter(sink)
    put(sending, 1)
    close(sending)
    put(sending, 2)
    assert sending.account() == Account("logs", 2, 1, {"shutdown": 1}, 0)


def test_a_frozen_receiver_is_given_up_at_the_deadline_and_tried_again(exporter: Maker, sink: GrpcSink) -> None:
    sink.behave = lambda path, number: Behaviour(hang_s=60 if number == 1 else 0)
    sending = exporter(sink, timeout_s=0.3)
    put(sending, 1)
    eventually(lambda: sending.account().delivered == 1, deadline_s=10)


def test_the_delivery_accounts_balance_at_every_moment_under_load(exporter: Maker, sink: GrpcSink) -> None:
    sink.behave = lambda path, number: Behaviour(
        code=grpc.StatusCode.UNAVAILABLE if number % 5 == 0 else grpc.StatusCode.DATA_LOSS if number % 7 == 0 else None,
        rejected=1 if number % 3 == 0 else 0,
    )
    sending = exporter(sink, capacity_bytes=300_000)
    looked: list[Account] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.0005):
            looked.append(sending.account())

    threads = [threading.Thread(target=lambda: [put(sending, n) for n in range(4000)]) for _ in range(4)]
    watcher = threading.Thread(target=look)
    watcher.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    account = close(sending, deadline_s=10)
    stop.set()
    watcher.join()
    assert account.emitted == 16000
    assert looked
    assert all(balanced(one) for one in [*looked, account])
    assert len(bodies(sink)) == account.delivered + account.dropped.get("rejected", 0)


def test_http_delivers_the_same(exporter: Maker, http_sink: HttpSink) -> None:
    sending = exporter(
        http_sink, OTEL_EXPORTER_OTLP_HEADERS="x-tenant=a%20b,authorization=Bearer%20t", OTEL_EXPORTER_OTLP_COMPRESSION="gzip"
    )  # fmt: skip
    for number in range(500):
        put(sending, number)
    eventually(lambda: sending.account().delivered == 500, deadline_s=10)
    assert bodies(http_sink) == [f'{{"n":{number}}}' for number in range(500)]
    assert set(http_sink.paths) == {"/v1/logs"}
    assert http_sink.received.metadata["x-tenant"] == "a b"
    assert http_sink.received.metadata["authorization"] == "Bearer t"
    assert http_sink.received.metadata["content-type"] == "application/x-protobuf"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_http_429_and_503_keep_the_batch_for_retry(exporter: Maker, http_sink: HttpSink, status: int) -> None:
    http_sink.behave = lambda path, number: Behaviour(
        status=status if number == 1 else 200, headers={"retry-after": "1"}
    )
    sending = exporter(http_sink)
    before = time.monotonic()
    put(sending, 1)
    eventually(lambda: sending.account().delivered == 1, deadline_s=10)
    assert time.monotonic() - before >= 0.99


def test_permanent_http_statuses_drop_the_batch(exporter: Maker, http_sink: HttpSink) -> None:
    http_sink.behave = lambda path, number: Behaviour(status=400)
    sending = exporter(http_sink)
    put(sending, 1)
    eventually(lambda: sending.account().dropped == {"refused": 1}, deadline_s=10)


def test_http_that_hangs_does_not_hold_up_closing(exporter: Maker, http_sink: HttpSink) -> None:
    http_sink.behave = lambda path, number: Behaviour(hang_s=60)
    sending = exporter(http_sink, timeout_s=30)
    put(sending, 1)
    eventually(lambda: http_sink.received.calls == 1, deadline_s=10)
    before = time.monotonic()
    account = close(sending, deadline_s=0.3)
    assert time.monotonic() - before < 5
    assert account.dropped == {"shutdown": 1}


@pytest.mark.parametrize(
    ("header", "seconds"), [("2", 2), ("0", 0), ("86400", 300), ("soon", None), ("", None), (None, None), ("-1", None)]
)
def test_retry_after_is_read_in_seconds_and_capped(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_retry_after_is_read_as_a_date() -> None:
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("Wed, 21 Oct 2099 07:28:00 GMT") == 300


def test_the_delivery_accounts_reach_the_collector_as_metrics(opened: Opener, sink: GrpcSink) -> None:
    telemetry = opened(sink.environment)
    for number in range(20):
        one_request(telemetry, f"req-{number}")
    eventually(lambda: len(sink.received.spans) == 40, deadline_s=10)
    telemetry.close(5)
    metrics = sink.received.last_metrics()

    def value(name: str, signal: str) -> int:
        points = metrics[name].sum.data_points or metrics[name].gauge.data_points
        return sum(p.as_int for p in points if any(a.value.string_value == signal for a in p.attributes))

    for signal, count in (("traces", 40), ("logs", 20), ("stdout", 20)):
        assert value("gatewayz.telemetry.emitted", signal) == count
        assert value("gatewayz.telemetry.delivered", signal) == count - value("gatewayz.telemetry.queue.size", signal)
        assert value("gatewayz.telemetry.dropped", signal) == 0
    assert value("gatewayz.telemetry.delivered", "traces") == 40


def test_closing_with_a_dead_collector_ends_in_time_and_counts_everything(opened: Opener) -> None:
    sink = GrpcSink(start=False)
    telemetry = opened(sink.environment)
    for number in range(50):
        one_request(telemetry, f"req-{number}")
    before = time.monotonic()
    telemetry.close(1)
    assert time.monotonic() - before < 5
    accounts = {account.signal: account for account in telemetry.accounts()}
    assert accounts["traces"] == Account("traces", 100, 0, {"shutdown": 100}, 0)
    assert accounts["logs"].dropped == {"shutdown": 50}
    assert accounts["stdout"].delivered >= 50


def test_closing_with_a_hung_collector_ends_in_time(opened: Opener, sink: GrpcSink) -> None:
    sink.behave = lambda path, number: Behaviour(hang_s=60)
    telemetry = opened(sink.environment)
    one_request(telemetry)
    eventually(lambda: sink.received.calls >= 2, deadline_s=10)
    before = time.monotonic()
    telemetry.close(1)
    assert time.monotonic() - before < 6
    assert all(account.queued == 0 for account in telemetry.accounts())
