"""Errors of the control plane, in the shape that clients of the data plane know: one JSON object, one sentence, no trace."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from gatewayz.errors import GatewayError, Internal, InvalidRequest, MethodNotAllowed, NotFound


def error_response(error: GatewayError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """``error`` as OpenAI would put it."""
    sent = dict(headers or {})
    if (seconds := error.retry_after()) is not None:
        sent.setdefault("retry-after", seconds)
    body = {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}
    return JSONResponse({"error": body}, status_code=error.status, headers=sent)


def install_error_handlers(app: FastAPI) -> None:
    """Every way in which a route can fail ends in error_response()."""

    async def known(_request: Request, error: Exception) -> JSONResponse:
        return error_response(error if isinstance(error, GatewayError) else Internal(_INTERNAL))

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 (what it is registered for)
        if error.status_code == 405:
            return error_response(_translated(error), {"allow": _allowed(app, request)})
        return error_response(_translated(error), error.headers)

    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 (what it is registered for)
        first = error.errors()[0]
        # Where and what, never the value: it may be a secret, and it is the caller's anyway.
        param = ".".join(str(part) for part in first["loc"])
        return error_response(InvalidRequest(f"{param}: {first['msg']}.", param=param))

    async def unknown(_request: Request, _error: Exception) -> JSONResponse:
        # Starlette raises it again for the server's log, after this is sent.
        return error_response(Internal(_INTERNAL))

    app.add_exception_handler(GatewayError, known)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unknown)


_INTERNAL = "The gateway failed in a way it has no word for. The request id leads to its log."


def _allowed(app: FastAPI, request: Request) -> str:
    """The methods that some route has for this path. (Starlette names those of the first such route only.)"""
    matching = (route for route in app.routes if isinstance(route, Route) and route.path == request.scope["path"])
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
