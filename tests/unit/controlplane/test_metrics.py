"""/metrics: the Collector's answer handed on as it is, or this process's own; closed if so wished."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.controlplane.rig import OWN, TEXT, ControlPlane, FakeCollector, control_plane

OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


async def test_metrics_without_a_collector_are_this_processs_own(plane: ControlPlane) -> None:
    answer = await plane.http.get("/metrics", headers={"accept": OPEN_METRICS})
    assert (answer.status_code, answer.content) == (200, OWN)
    assert answer.headers["content-type"] == TEXT
    assert answer.headers["content-length"] == str(len(OWN))
    assert "content-encoding" not in answer.headers
    assert plane.accepts == [OPEN_METRICS]
    assert [family.name for family in text_string_to_metric_families(answer.text)] == ["up"]


async def test_head_of_metrics_has_the_length_and_no_body(plane: ControlPlane) -> None:
    answer = await plane.http.head("/metrics")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(OWN))
    assert answer.headers["content-type"] == TEXT


async def test_collectors_exposition_is_forwarded_unchanged(collector: FakeCollector, collector_url: str) -> None:
    async with control_plane(collector_metrics_url=collector_url) as plane:
        answer = await plane.http.get("/metrics")
        assert (answer.status_code, answer.content) == (200, collector.body)
        assert answer.headers["content-type"] == TEXT
        assert answer.headers["content-length"] == str(len(collector.body))
        assert "content-encoding" not in answer.headers
        assert plane.accepts == []
        head = await plane.http.head("/metrics")
        assert (head.content, head.headers["content-length"]) == (b"", str(len(collector.body)))


async def test_accept_header_selects_open_metrics_with_exemplars(collector: FakeCollector, collector_url: str) -> None:
    collector.content_type = OPEN_METRICS
    collector.body = b'# TYPE a counter\na_total 1.0 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 1.0\n# EOF\n'
    async with control_plane(collector_metrics_url=collector_url) as plane:
        answer = await plane.http.get("/metrics", headers={"accept": OPEN_METRICS, "authorization": "Bearer gz_x"})
    assert (answer.content, answer.headers["content-type"]) == (collector.body, OPEN_METRICS)
    [asked] = collector.asked
    assert asked["accept"] == OPEN_METRICS
    assert asked["accept-encoding"] == "identity"
    # What the scraper says to us is none of the Collector's business.
    assert "authorization" not in asked


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_collector_that_answers_another_status_is_503(
    collector: FakeCollector, collector_url: str, status: int
) -> None:
    collector.status = status
    async with control_plane(collector_metrics_url=collector_url) as plane:
        answer = await plane.http.get("/metrics")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["error"] == {
        "message": f"The Collector answered {status} when asked for its metrics.",
        "type": "gateway_error",
        "param": None,
        "code": "collector_unavailable",
    }


async def test_collector_that_is_away_is_503_with_a_plain_sentence() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else can take the port meanwhile
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/metrics"
        async with control_plane(collector_metrics_url=url) as plane:
            answer = await plane.http.get("/metrics")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "collector_unavailable"
    assert "Traceback" not in answer.text


async def test_silent_collector_times_out(collector: FakeCollector, collector_url: str) -> None:
    collector.silent = True
    async with control_plane(collector_metrics_url=collector_url) as plane:
        async with asyncio.timeout(20):
            answer = await plane.http.get("/metrics", timeout=20)
        assert answer.status_code == 503
        # The others are served meanwhile, and afterwards it works again.
        collector.silent = False
        assert (await plane.http.get("/metrics")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic opensesame"},
        {"authorization": "opensesame"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer \xe4\xf6\xfc"},
        {"x-api-key": "opensesame"},
    ],
)
async def test_metrics_are_401_without_the_token_that_is_set(headers: dict[str, str]) -> None:
    async with control_plane(metrics_token="opensesame") as plane:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await plane.http.get("/metrics", headers=httpx.Headers(raw))
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert b"up" not in (await plane.http.head("/metrics")).content
        assert plane.accepts == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_metrics_token_is_accepted_as_bearer(scheme: str) -> None:
    async with control_plane(metrics_token="opensesame") as plane:
        answer = await plane.http.get("/metrics", headers={"authorization": f"{scheme} opensesame"})
        assert answer.status_code == 200


async def test_paths_below_metrics_are_404_and_nothing_redirects(plane: ControlPlane) -> None:
    for path in ("/metrics/", "/metrics/x"):
        assert (await plane.http.get(path)).status_code == 404
