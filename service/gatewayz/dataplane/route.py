"""What a path of the data plane answers to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gatewayz.attempts.context import CallContext
from gatewayz.dataplane.errors import OPENAI, ErrorFormat
from gatewayz.dataplane.http import Exchange
from gatewayz.errors import MethodNotAllowed, NotFound

Handler = Callable[[Exchange, CallContext], Awaitable[None]]
"""Answers a request. Raises a GatewayError as long as it has written nothing."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path template and the handlers of its methods."""

    template: str
    handlers: Mapping[str, Handler]
    error_format: ErrorFormat = OPENAI
    """Each vendor's clients read that vendor's error object."""


def handler_of(route: Route | None, method: str) -> Handler:
    """Raises NotFound where there is no route, MethodNotAllowed where it has no handler for ``method``."""
    if route is None:
        raise NotFound("Unknown request URL: see GET /v1/models, or POST /v1/chat/completions.", code="unknown_url")
    handler = route.handlers.get(method)
    if handler is None:
        allowed = tuple(route.handlers)
        raise MethodNotAllowed(f"{route.template} answers {' and '.join(allowed)} only.", allowed=allowed)
    return handler
