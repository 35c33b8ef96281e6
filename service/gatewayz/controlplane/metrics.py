"""``/metrics``: the Collector's exposition, which is right for any number of workers; without one, this worker's own."""

from __future__ import annotations

import hmac
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, Request, Response

from gatewayz.config import Settings
from gatewayz.controlplane.deps import Services, services_of
from gatewayz.controlplane.errors import error_response
from gatewayz.errors import Unauthenticated, Unavailable

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_TIMEOUT_S = 5.0  # half of Prometheus's own patience, so that it hears the reason and not silence

Given = Annotated[Services, Depends(services_of)]


def add_metrics_routes(app: FastAPI) -> None:
    """Open unless ``metrics_token`` is set, for that is where scrapers look."""

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}, tags=["metrics"])
    @app.head("/metrics", include_in_schema=False)
    async def metrics(request: Request, services: Given) -> Response:
        """The Prometheus text format, or OpenMetrics (with exemplars) for those whose Accept header asks for it."""
        if not _admitted(request, services.settings):
            return error_response(
                Unauthenticated("The metrics are closed: send the metrics token as a bearer token."),
                {"www-authenticate": 'Bearer realm="metrics"'},
            )
        accept = request.headers.get("accept", "*/*")
        url = services.settings.collector_metrics_url
        if url is None or services.http is None:
            body, content_type = services.exposition(accept)
        else:
            body, content_type = await _relayed(services.http, url, accept)
        return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})


def _admitted(request: Request, settings: Settings) -> bool:
    if settings.metrics_token is None:
        return True
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    expected = settings.metrics_token.get_secret_value().encode()
    right = hmac.compare_digest(token.strip().encode("latin-1", "replace"), expected)
    return right and scheme.lower() == "bearer"


async def _relayed(http: httpx.AsyncClient, url: str, accept: str) -> tuple[bytes, str]:
    """The Collector's body and content type. Raises Unavailable with a plain sentence when there is none to be had."""
    try:
        # Uncompressed: the Collector is next door, and whoever compresses the answer shall do so once.
        answer = await http.get(url, headers={"accept": accept, "accept-encoding": "identity"}, timeout=_TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(
            f"The Collector's metrics cannot be had at the moment ({type(error).__name__}).",
            code="collector_unavailable",
            retry_after_s=5,
        ) from error
    if answer.status_code != 200:
        raise Unavailable(
            f"The Collector answered {answer.status_code} when asked for its metrics.",
            code="collector_unavailable",
            retry_after_s=5,
        )
    return answer.content, answer.headers.get("content-type", _TEXT)
