"""Errors of the control plane, in the shape that clients of the data plane know: one JSON object, one sentence, no trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route

from gatewayz.errors import GatewayError, Internal, InvalidRequest, MethodNotAllowed, NotFound, Unauthenticated
from gatewayz.wires.openai_chat.errors import error_body


class ErrorDetail(BaseModel):
    """What went wrong, for people (``message``) and for programs (``code``)."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorDetail


def error_responses(**descriptions: str) -> dict[int | str, dict[str, Any]]:
    """For a route's ``responses``: ``error_responses(_503="The Collector is away.")``."""
    # Any: FastAPI's own type for a piece of OpenAPI.
    return {
        int(status.removeprefix("_")): {"model": ErrorAnswer, "description": description}
        for status, description in descriptions.items()
    }


def error_response(error: GatewayError, headers: Mapping[str, str] | None = None) -> Response:
    """``error`` as the data plane would answer it to OpenAI's clients."""
    sent = dict(headers or {})
    if (retry_after := error.retry_after()) is not None:
        sent["retry-after"] = retry_after
    if isinstance(error, Unauthenticated):
        sent.setdefault("www-authenticate", 'Bearer realm="gatewayz"')
    return Response(error_body(error), error.status, sent, "application/json")


def install_error_handlers(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Every way in which a route can fail ends in error_response(). ``routers``: those that ``app`` includes."""
    routes = [*app.routes, *(route for router in routers for route in router.routes)]

    async def gateway_error(_request: Request, error: Exception) -> Response:
        return error_response(error if isinstance(error, GatewayError) else Internal(_INTERNAL))

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 (what it is registered for)
        if error.status_code == 405:
            return error_response(_translated(error), {"allow": _allowed(routes, request)})
        return error_response(_translated(error), error.headers)

    async def validation_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 (what it is registered for)
        first = error.errors()[0]
        # Where and what, never the value: it may be a secret.
        param = ".".join(str(part) for part in first["loc"])
        return error_response(InvalidRequest(f"{param}: {first['msg']}.", param=param))

    async def unexpected_error(_request: Request, _error: Exception) -> Response:
        # Starlette raises it again for the server's log, after this is sent.
        return error_response(Internal(_INTERNAL))

    app.add_exception_handler(GatewayError, gateway_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(Exception, unexpected_error)


_INTERNAL = "The gateway failed in a way it has no word for. The request id leads to its log."


def _allowed(routes: Iterable[BaseRoute], request: Request) -> str:
    """The methods that some route has for this path. (Starlette names those of the first such route only.)"""
    matching = (
        route for route in routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    )
    return ", ".join(sorted({method for route in matching for method in route.methods or ()}))


def _translated(error: HTTPException) -> GatewayError:
    match error.status_code:
        case 404:
            return NotFound("There is nothing at this address. GET / says what there is.")
        case 405:
            return MethodNotAllowed("This address does not answer to that method.", allowed=())
        case status if status < 500:
            translated = InvalidRequest(error.detail)
            translated.status = status
            return translated
        case _:
            return Internal(_INTERNAL)
