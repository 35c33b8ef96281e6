"""Metrics leave in two ways: over OTLP at an interval, and as Prometheus text on request.

Both read everything: the SDK's observable instruments, our own synchronous ones, and the delivery accounts. Temporality is
cumulative, so an export that fails is made good by the next.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Protocol, cast

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import Metric, MetricReader, MetricsData, ScopeMetrics
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from gatewayz.telemetry.delivery.thread import DeadlineThread
from gatewayz.telemetry.delivery.transport import Transport

logger = logging.getLogger(__name__)

COMPLAINT_INTERVAL_S = 60.0


class Producer(Protocol):
    def __call__(self, now_ns: int, /) -> Iterable[Metric]: ...


class OwnMetrics:
    """Adds our own metrics to what the SDK has collected."""

    def __init__(self, scope: InstrumentationScope, producers: Iterable[Producer]) -> None:
        self._scope = scope
        self._producers = tuple(producers)

    def added_to(self, data: MetricsData) -> MetricsData:
        now_ns = time.time_ns()
        first, *others = data.resource_metrics
        metrics = list(self._all(now_ns))
        scopes: list[ScopeMetrics] = []
        for scope in first.scope_metrics:
            if scope.scope == self._scope:
                # One entry per scope: of two equal ones the SDK's encoder keeps the last.
                metrics = [*scope.metrics, *metrics]
            else:
                scopes.append(scope)
        scopes.append(ScopeMetrics(self._scope, metrics, self._scope.schema_url or ""))
        return MetricsData([replace(first, scope_metrics=scopes), *others])

    def _all(self, now_ns: int) -> Iterator[Metric]:
        for producer in self._producers:
            yield from producer(now_ns)


class OtlpReader(MetricReader):
    """Collects and sends at an interval on a thread of its own, and once more at the end."""

    def __init__(self, own: OwnMetrics, transport: Transport, *, interval_s: float, timeout_s: float) -> None:
        super().__init__()
        self._own = own
        self._transport = transport
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._complained_at = float("-inf")
        self._thread = DeadlineThread("gatewayz-metrics", self._run)

    def start(self) -> None:
        self._thread.start()

    def flush_until(self, deadline: float) -> None:
        """Collect and send a last time before ``deadline`` (monotonic). Returns at once."""
        self._thread.flush_until(deadline)

    def close(self) -> None:
        self._thread.join()
        self._transport.abort()
        self._thread.join(0.5)
        self._transport.close()

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        pass  # Telemetry.close does it, within its own deadline

    def _run(self) -> None:
        while not self._thread.closing.wait(self._interval_s):
            self._collect_and_send()
        # The last export repeats what a Collector that is just coming back has missed: worth a few tries.
        while not self._collect_and_send() and time.monotonic() + 0.2 < self._thread.deadline:
            time.sleep(0.2)

    def _collect_and_send(self) -> bool:
        self._sent = False
        try:
            self.collect()
        except Exception:  # a defect in one callback must not end all exports
            if self._may_complain():
                logger.exception("Metrics could not be collected")
        return self._sent

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        payload = encode_metrics(self._own.added_to(metrics_data)).SerializeToString()
        left_s = self._thread.left_s()
        if left_s <= 0:
            return
        answer = self._transport.send(payload, min(self._timeout_s, left_s))
        self._sent = answer.kind in ("accepted", "refused")
        if answer.kind != "accepted" and self._may_complain():
            logger.warning("Metrics could not be delivered (%s); the next export makes it good.", answer.reason)

    def _may_complain(self) -> bool:
        now = time.monotonic()
        if now - self._complained_at < COMPLAINT_INTERVAL_S:
            return False
        self._complained_at = now
        return True


class PrometheusReader(PrometheusMetricReader):
    """The SDK's Prometheus exporter in a registry of its own."""

    def __init__(self, own: OwnMetrics) -> None:
        self._own_registry = CollectorRegistry(auto_describe=False)
        self._own = own
        self._exposing = threading.Lock()
        super().__init__(registry=self._own_registry, scope_info_enabled=False)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The body and its content type: OpenMetrics if ``accept`` asks for it, else Prometheus text."""
        encoder, content_type = cast("tuple[Callable[[CollectorRegistry], bytes], str]", choose_encoder(accept))
        with self._exposing:
            return encoder(self._own_registry), content_type

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        # The SDK leaves the type of its keyword arguments open.
        super()._receive_metrics(self._own.added_to(metrics_data), timeout_millis, **kwargs)  # pyright: ignore[reportUnknownMemberType]

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        pass  # readable until the process ends
