"""One data-plane request from its first header to its last byte: authenticate, serve, answer, record.

Whatever happens (bad key, bad body, provider down, caller disconnected, a defect of ours) the request ends here, once, with at
most one answer and exactly one record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import getrandbits

from gatewayz.accounts.keys.credentials import credential_of
from gatewayz.accounts.keys.keys import Keys
from gatewayz.attempts.context import CallContext
from gatewayz.dataplane.browsers import Browsers, answer_preflight
from gatewayz.dataplane.errors import OPENAI, answer_error
from gatewayz.dataplane.http import CLOSE, REFUSAL, Exchange, Receive, Scope, Send
from gatewayz.dataplane.route import Route, handler_of
from gatewayz.dataplane.watch import DisconnectWatch
from gatewayz.errors import CallerCancelled, GatewayError, Internal, Unauthenticated
from gatewayz.records import ErrorType, HttpRequest, KeyIdentity, RequestEnd, RequestOutcome
from gatewayz.telemetry.setup import Telemetry
from gatewayz.wires.json_depth import check_depth

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How large a request body may be, how long it may take to arrive, and how deep its JSON may be nested."""

    max_bytes: int
    timeout_s: float
    max_depth: int


class Endpoint:
    """Serves requests of the data plane. ``find`` maps a path to its route, or to None."""

    def __init__(
        self,
        find: Callable[[str], Route | None],
        keys: Keys,
        telemetry: Telemetry,
        limits: BodyLimits,
        browsers: Browsers,
    ) -> None:
        self._find = find
        self._browsers = browsers
        self._keys = keys
        self._telemetry = telemetry
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        route = self._find(scope["path"])
        preflight = scope["method"] == "OPTIONS" and self._browsers.is_preflight(exchange)
        # What the server refused is answered and recorded like any request; its key does not matter.
        error: GatewayError | None = scope.get(REFUSAL)
        key = None
        if error is None and not preflight:
            key, error = await self._authenticate(exchange)
        context = self._begin(exchange, route, key)
        try:
            if error is None and preflight:
                await answer_preflight(exchange)
            elif error is None:
                error = await self._serve(exchange, route, context)
            if error is not None and not exchange.status and not isinstance(error, CallerCancelled):
                await answer_error(exchange, error, route.error_format if route else OPENAI, context.request_id)
        finally:
            context.telemetry.end(_request_end(exchange, context, error or context.error))

    async def _authenticate(self, exchange: Exchange) -> tuple[KeyIdentity | None, GatewayError | None]:
        # Before the span begins, because the key decides whether it continues the caller's trace.
        try:
            credential = credential_of(exchange.scope["headers"])
            if credential is None:
                return None, Unauthenticated(
                    "You didn't provide an API key. Send it as 'Authorization: Bearer gz_…' "
                    "(with the OpenAI SDK: api_key=…)."
                )
            return self._keys.cached(credential) or await self._keys.authenticate(credential), None
        except GatewayError as error:
            return None, error

    def _begin(self, exchange: Exchange, route: Route | None, key: KeyIdentity | None) -> CallContext:
        """Starts the request's telemetry, and gives every answer its headers."""
        http = _http_request(exchange, route, key)
        telemetry = self._telemetry.start_request(http)
        context = CallContext(http.request_id, key, http.headers, telemetry)
        request_id = context.request_id.encode()
        exchange.common_headers = [
            (b"x-request-id", request_id),
            (b"traceresponse", telemetry.traceresponse),
            *self._browsers.headers(exchange),
        ]
        if route is not None and route.error_format.request_id_header is not None:
            exchange.common_headers.append((route.error_format.request_id_header, request_id))
        if REFUSAL in exchange.scope:
            exchange.common_headers.append(CLOSE)
        return context

    async def _serve(self, exchange: Exchange, route: Route | None, context: CallContext) -> GatewayError | None:
        """Runs the handler. Its failure is returned, not raised: there is one place in which failures are answered."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server runs each request in a task
        watch = DisconnectWatch(exchange, task, lambda: _disconnected(exchange, context))
        try:
            handler = handler_of(route, exchange.scope["method"])
            if exchange.scope["method"] == "POST":
                await exchange.read_body(limit=self._limits.max_bytes, timeout_s=self._limits.timeout_s)
                check_depth(exchange.body, self._limits.max_depth)
                watch.start()
            await handler(exchange, context)
        except GatewayError as error:
            return error
        except asyncio.CancelledError:
            if not watch.disconnected:
                raise  # the server itself is stopping
            task.uncancel()
            return _caller_cancelled()
        except Exception:
            logger.exception("unexpected error while serving a request")
            return Internal("The gateway failed to serve this request; the fault is on its side.")
        finally:
            watch.stop()
        return None


def _disconnected(exchange: Exchange, context: CallContext) -> float:
    """The caller has disconnected. Returns for how many seconds its call goes on as an orphaned call."""
    wait_s = context.disconnect.happened()
    if wait_s:  # the provider goes on with the answer; the request is over
        context.telemetry.end(_request_end(exchange, context, _caller_cancelled()))
    return wait_s


def _caller_cancelled() -> CallerCancelled:
    return CallerCancelled("The caller closed the connection.")


def _http_request(exchange: Exchange, route: Route | None, key: KeyIdentity | None) -> HttpRequest:
    scope = exchange.scope
    client = scope.get("client")
    server = scope.get("server")
    agent = exchange.header(b"user-agent")
    return HttpRequest(
        method=scope["method"],
        route=route.template if route else None,
        path=scope["path"],
        scheme=scope["scheme"],
        http_version=scope["http_version"],
        headers=scope["headers"],
        # It is no secret, and reading the system's randomness would release the interpreter to other threads at each request.
        request_id=f"req_{getrandbits(96):024x}",
        received_at_ns=exchange.received_at_ns,
        client_address=client[0] if client else None,
        server_address=server[0] if server else None,
        server_port=server[1] if server else None,
        user_agent=agent.decode("latin-1") if agent else None,
        key=key,
    )


def _request_end(exchange: Exchange, context: CallContext, error: GatewayError | None) -> RequestEnd:
    # Status 499 for a caller that disconnected, whatever was sent: it was not read.
    totals = context.totals
    status = error.status if isinstance(error, CallerCancelled) else exchange.status or 500
    return RequestEnd(
        status=status,
        outcome=_outcome(error.error_type if error else None, status),
        error_type=error.error_type if error else None,
        request_body_size=len(exchange.body),
        response_body_size=exchange.sent_bytes,
        model=context.model,
        stream=context.stream,
        provider=context.provider,
        attempts=totals.attempts,
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        cost_nano_usd=totals.cost_nano_usd,
        unpriced=totals.unpriced,
    )


def _outcome(error_type: ErrorType | None, status: int) -> RequestOutcome:
    """Whose fault it was, in one word. A request that the provider rejected is the caller's to correct."""
    if error_type is None:
        return "ok" if status < 500 else "gateway_error"
    if error_type == "caller_cancelled":
        return "cancelled"
    if error_type == "provider_bad_request":
        return "caller_error"
    match error_type.partition("_")[0]:
        case "caller":
            return "caller_error"
        case "policy":
            return "refused"
        case "provider":
            return "provider_error"
        case _:
            return "gateway_error"
