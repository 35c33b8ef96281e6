"""One data-plane request from its first header to its last byte: admit, serve, answer, record.

Whatever happens (bad key, bad body, provider gone, caller gone, a bug of ours) the request ends here, once, with one answer
at the most and exactly one record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import getrandbits
from time import time_ns

from gatewayz.accounts.keys.credentials import credential_of
from gatewayz.accounts.keys.keys import Keys
from gatewayz.attempts.disconnect import Presence
from gatewayz.dataplane.browsers import Browsers, answer_preflight
from gatewayz.dataplane.http import CLOSE, REFUSAL, Exchange, Receive, Scope, Send
from gatewayz.dataplane.openai_errors import answer_error
from gatewayz.errors import CallerCancelled, GatewayError, Internal, MethodNotAllowed, NotFound, Unauthenticated
from gatewayz.records import ErrorType, HttpRequest, KeyIdentity, RequestEnd, RequestOutcome
from gatewayz.telemetry.request import RequestTelemetry
from gatewayz.telemetry.setup import Telemetry
from gatewayz.wires.json_depth import check_depth

logger = logging.getLogger(__name__)

WATCH_AFTER_S = 0.2
"""A request that is answered sooner needs nobody to watch for its caller leaving, and most are; a task costs more than all the
parsing. Callers who leave are still noticed well within a second."""


@dataclass(slots=True)
class Served:
    """What a handler has to tell the record; it fills this in as it learns it, so that a failure keeps what was known."""

    key: KeyIdentity | None
    model: str | None = None
    stream: bool = False
    provider: str | None = None
    presence: Presence = field(default_factory=Presence)
    error: GatewayError | None = None
    """A failure after the answer had begun: the status on the wire says 200, the record must not."""


Handler = Callable[[Exchange, Served, RequestTelemetry], Awaitable[None]]
ErrorAnswer = Callable[[Exchange, GatewayError], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path template and what it answers to."""

    template: str
    handlers: Mapping[str, Handler]
    answer_error: ErrorAnswer = answer_error
    """In whose clothing: the vendors' clients each read their own."""


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
        received_at_ns = time_ns()
        exchange = Exchange(scope, receive, send)
        route = self._find(scope["path"])
        asked_by_browser = scope["method"] == "OPTIONS" and self._browsers.is_preflight(exchange)
        # What the server refused is answered and recorded like any request; nobody asks who sent it.
        refusal: GatewayError | None = scope.get(REFUSAL)
        admitted = refusal is None and not asked_by_browser
        key, error = await self._admit(exchange) if admitted else (None, refusal)
        telemetry = self._telemetry.start_request(_http_request(exchange, route, key, received_at_ns))
        exchange.common_headers = [
            (b"x-request-id", telemetry.request_id.encode()),
            (b"traceresponse", telemetry.traceresponse),
            *self._browsers.headers(exchange),
        ]
        if refusal is not None:
            exchange.common_headers.append(CLOSE)
        served = Served(key)
        try:
            if asked_by_browser and error is None:
                await answer_preflight(exchange)
            elif error is None:
                error = await self._serve(exchange, route, served, telemetry)
            if error is not None and not exchange.status and not isinstance(error, CallerCancelled):
                await (route.answer_error if route else answer_error)(exchange, error)
        finally:
            telemetry.end(_request_end(exchange, served, error or served.error, telemetry.attempts))

    async def _admit(self, exchange: Exchange) -> tuple[KeyIdentity | None, GatewayError | None]:
        # Before the span, because whose trace this is depends on who is calling (telemetry.md, "Incoming context").
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

    async def _serve(
        self, exchange: Exchange, route: Route | None, served: Served, telemetry: RequestTelemetry
    ) -> GatewayError | None:
        """Runs the handler. Its failure is returned, not raised: the caller has one place in which to answer it."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server runs each request in a task

        def left() -> float:
            stays_s = served.presence.leave()
            if stays_s:  # what the provider is at work on goes on; the request is over
                gone = CallerCancelled("The caller closed the connection.")
                telemetry.end(_request_end(exchange, served, gone, telemetry.attempts))
            return stays_s

        watch = _Watch(exchange, task, left)
        try:
            handler = _handler(route, exchange.scope["method"])
            if exchange.scope["method"] == "POST":
                await exchange.read_body(limit=self._limits.max_bytes, timeout_s=self._limits.timeout_s)
                check_depth(exchange.body, self._limits.max_depth)
                watch.start()
            await handler(exchange, served, telemetry)
        except GatewayError as error:
            return error
        except asyncio.CancelledError:
            if not watch.left:
                raise  # the server itself is stopping
            task.uncancel()
            return CallerCancelled("The caller closed the connection.")
        except Exception:
            logger.exception("unexpected error while serving a request")
            return Internal("The gateway failed to serve this request; the fault is on its side.")
        finally:
            watch.stop()
        return None


class _Watch:
    """Cancels the task that serves a request when the caller leaves before the answer is complete. ``on_leave`` says in how many
    seconds."""

    __slots__ = ("_exchange", "_on_leave", "_serving", "_timer", "_watching", "left")

    def __init__(self, exchange: Exchange, serving: asyncio.Task[None], on_leave: Callable[[], float]) -> None:
        self.left = False
        self._exchange = exchange
        self._on_leave = on_leave
        self._serving = serving
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Once the body is read: until then its reader is the one that listens."""
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._begin)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        await self._exchange.wait_for_disconnect()
        if self._exchange.complete:
            return
        self.left = True
        if stays_s := self._on_leave():
            self._timer = asyncio.get_running_loop().call_later(stays_s, self._serving.cancel)
        else:
            self._serving.cancel()


def _handler(route: Route | None, method: str) -> Handler:
    if route is None:
        raise NotFound("Unknown request URL: see GET /v1/models, or POST /v1/chat/completions.", code="unknown_url")
    handler = route.handlers.get(method)
    if handler is None:
        allowed = tuple(route.handlers)
        raise MethodNotAllowed(f"{route.template} answers {' and '.join(allowed)} only.", allowed=allowed)
    return handler


def _http_request(exchange: Exchange, route: Route | None, key: KeyIdentity | None, received_at_ns: int) -> HttpRequest:
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
        # Not a secret; and reading the system's randomness would hand the interpreter to another thread at each request.
        request_id=f"req_{getrandbits(96):024x}",
        received_at_ns=received_at_ns,
        client_address=client[0] if client else None,
        server_address=server[0] if server else None,
        server_port=server[1] if server else None,
        user_agent=agent.decode("latin-1") if agent else None,
        key=key,
    )


def _request_end(exchange: Exchange, served: Served, error: GatewayError | None, attempts: int) -> RequestEnd:
    # A caller who left got 499, whatever is on the wire: nobody read it.
    status = error.status if isinstance(error, CallerCancelled) else exchange.status or 500
    return RequestEnd(
        status=status,
        outcome=_outcome(error.error_type if error else None, status),
        error_type=error.error_type if error else None,
        request_body_size=len(exchange.body),
        response_body_size=exchange.sent_bytes,
        model=served.model,
        stream=served.stream,
        provider=served.provider,
        attempts=attempts,
    )


def _outcome(error_type: ErrorType | None, status: int) -> RequestOutcome:
    """Whose fault it was, in one word. A request that the provider refused is its sender's to mend."""
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
