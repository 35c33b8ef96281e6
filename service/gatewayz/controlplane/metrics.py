"""``/metrics``: the Collector's exposition, which is right for any number of workers; without one, this worker's own."""

from __future__ import annotations

import hmac

import httpx
from fastapi import APIRouter, Request, Response

from gatewayz.config import Settings
from gatewayz.controlplane.deps import ServicesDep
from gatewayz.controlplane.errors import error_response, error_responses
from gatewayz.errors import Unauthenticated, Unavailable

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_TIMEOUT_S = 5.0  # half of Prometheus's own scrape timeout, so that it gets the reason and not silence

router = APIRouter(tags=["metrics"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"example": "# TYPE up gauge\nup 1.0\n"}}, "description": "The series."},
        **error_responses(_401="A metrics token is set, and was not sent.", _503="The Collector does not answer."),
    },
)
@router.head("/metrics", include_in_schema=False)
async def metrics(request: Request, services: ServicesDep) -> Response:
    """The Prometheus text format, or OpenMetrics (with exemplars) if the Accept header asks for it.

    Open unless ``GATEWAYZ_METRICS_TOKEN`` is set: scrapers look here without credentials.
    """
    if not _has_token(request, services.settings):
        return error_response(
            Unauthenticated("The metrics are closed: send the metrics token as a bearer token."),
            {"www-authenticate": 'Bearer realm="metrics"'},
        )
    accept = request.headers.get("accept", "*/*")
    url = services.settings.collector_metrics_url
    if url is None:
        body, content_type = services.exposition(accept)
    else:
        body, content_type = await _relayed(services.http, url, accept)
    return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})


def _has_token(request: Request, settings: Settings) -> bool:
    if settings.metrics_token is None:
        return True
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    expected = settings.metrics_token.get_secret_value().encode()
    right = hmac.compare_digest(token.strip().encode("latin-1", "replace"), expected)
    return right and scheme.lower() == "bearer"


async def _relayed(http: httpx.AsyncClient, url: str, accept: str) -> tuple[bytes, str]:
    """The Collector's body and content type. Raises Unavailable, in a sentence for people, when there is none."""
    try:
        # Uncompressed: the Collector is nearby, and the answer is compressed at most once, on its way out.
        answer = await http.get(url, headers={"accept": accept, "accept-encoding": "identity"}, timeout=_TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(
            f"The Collector's metrics are not available at the moment ({type(error).__name__}).",
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
