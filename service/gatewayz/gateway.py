"""The story of a call: who may answer it, the attempt, the answer, the record.

A unary answer and a stream end in the same place (``_Record.settle``): bytes are forwarded first and observed second, the
observations fold into one Outcome, and the attempt is recorded exactly once, also when the caller leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

from gatewayz.errors import GatewayError, ProviderMalformedResponse, ProviderStreamCut
from gatewayz.providers.base import Provider, Providers, returned_headers
from gatewayz.records import Attempt, Call, ErrorType, KeyIdentity, Outcome
from gatewayz.routing.candidates import Candidate, candidates_for
from gatewayz.telemetry.requests import AttemptTelemetry, RequestTelemetry
from gatewayz.upstream import UpstreamResponse
from gatewayz.wires.chat import chat_to_upstream, error_event
from gatewayz.wires.chat_fold import ChatFold
from gatewayz.wires.sse import EventSplitter

MAX_ERROR_BYTES = 65_536
"""An error object larger than this is not an error object."""

END_OF_STREAM_GRACE_S = 1.0
"""After ``[DONE]`` the provider gets this long to end the body, so that its connection can be used again."""


@dataclass(slots=True)
class Answer:
    """What goes back to the caller. Exactly one of ``body`` and ``events`` is set.

    ``error`` is set once ``events`` has ended in failure: by then the status is long sent, and only the record can tell.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    provider: str
    body: bytes | None = None
    events: AsyncGenerator[bytes, None] | None = None
    error: GatewayError | None = None
    abandon: Callable[[], None] | None = None
    """Call it whatever happens: a generator that was never started cannot clean up behind itself."""


class Gateway:
    """Answers calls through the providers. Holds no state of its own between calls."""

    def __init__(self, providers: Providers, *, max_upstream_bytes: int) -> None:
        self.providers = providers
        self._max_upstream_bytes = max_upstream_bytes

    async def chat(self, call: Call, key: KeyIdentity | None, telemetry: RequestTelemetry) -> Answer:
        """The answer to a chat call. Raises a GatewayError when there is none; once a stream has begun, its failures arrive
        inside it instead (an error event, never ``[DONE]``)."""
        candidate = candidates_for(call.model, self.providers)[0]
        return await self._attempt(call, candidate, key, telemetry)

    async def _attempt(
        self, call: Call, candidate: Candidate, key: KeyIdentity | None, telemetry: RequestTelemetry
    ) -> Answer:
        provider = candidate.provider
        span = telemetry.start_attempt(
            Attempt(
                operation=call.operation,
                provider=provider.name,
                otel_provider=provider.otel_name,
                model=candidate.model,
                server_address=provider.server_address,
                server_port=provider.server_port,
                stream=call.stream,
                customer_id=key.customer_id if key else None,
                parameters=call.parameters,
            )
        )
        record = _Record(provider, candidate.model, span)
        try:
            body = chat_to_upstream(call, candidate.model, usage_option=provider.usage_option)
            request = provider.chat_request(
                body, call.stream, traceparent=span.traceparent, total_s=call.total_timeout_s
            )
            response = await provider.upstream.send(request)
            try:
                record.status = response.status
                if not 200 <= response.status < 300:
                    refusal = await response.read(MAX_ERROR_BYTES)
                    raise provider.error(response.status, response.headers, refusal)
                if call.stream:
                    return await self._begin_stream(call, provider, response, record)
                reply = await response.read(self._max_upstream_bytes)
                record.fold.reply(reply)
            except BaseException:
                response.close()
                raise
        except GatewayError as error:
            error.provider = provider.name
            record.settle(error.error_type)
            raise
        except BaseException as error:
            record.settle("caller_cancelled" if isinstance(error, asyncio.CancelledError) else "gateway_internal")
            raise
        response.close()
        record.settle(None)
        return Answer(response.status, _answer_headers(provider, response.headers), provider.name, body=reply)

    async def _begin_stream(
        self, call: Call, provider: Provider, response: UpstreamResponse, record: _Record
    ) -> Answer:
        """Reads up to the first event with data, so that a stream that fails at once fails as an ordinary error."""
        media_type = response.headers.get("content-type", "")
        if not media_type.startswith("text/event-stream"):
            body = await response.read(MAX_ERROR_BYTES)
            if media_type.startswith("application/json"):
                record.fold.reply(body)  # raises what an error object under status 200 says
            raise ProviderMalformedResponse(f"{provider.name} answered a streamed call with '{media_type[:80]}'.")
        relay = _Relay(call, response, record)
        first = await relay.first()
        answer = Answer(response.status, _answer_headers(provider, response.headers), provider.name)
        answer.events = relay.events(first, answer)
        answer.abandon = relay.abandon
        return answer


class _Record:
    """What is known of a running attempt, and the one place where it ends."""

    __slots__ = ("_model", "_provider", "_span", "_started_s", "first_s", "fold", "last_s", "status")

    def __init__(self, provider: Provider, model: str, span: AttemptTelemetry) -> None:
        self._provider = provider
        self._model = model
        self._span = span
        self._started_s = perf_counter()
        self.fold = ChatFold()
        self.status: int | None = None
        self.first_s: float | None = None
        self.last_s: float | None = None

    def settle(self, error_type: ErrorType | None) -> None:
        """Ends the attempt. A second call changes nothing (the span ends once)."""
        fold = self.fold
        if error_type is None:
            self._provider.learn(self._model)
        first_s, last_s = self.first_s, self.last_s
        self._span.end(
            Outcome(
                status=self.status,
                known_model=self._provider.known_model(self._model),
                usage=fold.usage,
                error_type=error_type,
                response_id=fold.response_id,
                response_model=fold.response_model,
                finish_reasons=fold.finish_reasons,
                time_to_first_chunk_s=None if first_s is None else first_s - self._started_s,
                chunks=fold.content_events,
                stream_s=None if first_s is None or last_s is None else last_s - first_s,
            )
        )


class _Relay:
    """One provider's stream on its way to the caller: whole events only, so that a cut never leaves half of one behind."""

    __slots__ = ("_begun", "_chunks", "_failure", "_record", "_response", "_splitter", "_strip_usage")

    def __init__(self, call: Call, response: UpstreamResponse, record: _Record) -> None:
        self._response = response
        self._record = record
        self._chunks: AsyncIterator[bytes] = response.chunks()
        self._splitter = EventSplitter()
        # We always ask for usage, since we meter; the caller sees the extra event only if he asked as well.
        self._strip_usage = not call.include_usage
        self._begun = False
        self._failure: GatewayError | None = None

    async def first(self) -> bytes:
        """Everything up to and including the first event with data. Raises if the stream fails before that, or with it."""
        waiting = b""
        async for chunk in self._chunks:
            waiting += self._observe(chunk)
            if self._failure is not None:
                raise self._failure
            if self._begun:
                self._record.first_s = self._record.last_s = perf_counter()
                return waiting
        raise ProviderStreamCut("The provider's stream ended before it began.")

    async def events(self, first: bytes, answer: Answer) -> AsyncGenerator[bytes, None]:
        """The stream, ending in an error event (never in ``[DONE]``) when the provider fails on the way."""
        record = self._record
        fold = record.fold
        ended: ErrorType | None = "caller_cancelled"  # unless something else is known by the time this generator closes
        try:
            if first:
                yield first
            try:
                while not fold.done and self._failure is None:
                    chunk = await anext(self._chunks, None)
                    if chunk is None:
                        break
                    record.last_s = perf_counter()
                    if data := self._observe(chunk):
                        yield data
                if self._failure is None and (tail := self._tail()):
                    yield tail
                if self._failure is not None:
                    raise self._failure
                if not fold.complete:
                    raise ProviderStreamCut("The provider's stream ended before the answer was complete.")
                ended = None  # from here on the caller has everything, and may leave
                if fold.done:
                    await self._drain()
            except GatewayError as error:
                ended = error.error_type
                answer.error = error
                yield error_event(error)
        finally:
            self._response.close()
            record.settle(ended)

    def abandon(self) -> None:
        """Ends what is still open; does nothing after an orderly end."""
        self._response.close()
        self._record.settle("caller_cancelled")

    def _observe(self, chunk: bytes) -> bytes:
        """What of the chunk's whole events goes to the caller. An error event stays behind, as ``_failure``: the caller gets
        it in our words, since a provider's own may quote keys."""
        fold = self._record.fold
        forwarded: list[bytes] = []
        for event in self._splitter.feed(chunk):
            kind = fold.event(event)
            if kind == "error":
                self._failure = fold.error
                break
            if kind != "usage" or not self._strip_usage:
                forwarded.append(event)
            if not self._begun:
                self._begun = kind != "other" or fold.response_id is not None
        return b"".join(forwarded)

    def _tail(self) -> bytes:
        """A last event that lacks only its blank line, completed; a half one is kept from the caller."""
        if self._record.fold.done or not self._splitter.tail().strip():
            return b""
        try:
            return self._observe(b"\n\n")
        except ProviderMalformedResponse:
            return b""

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(END_OF_STREAM_GRACE_S):
                async for _ in self._chunks:
                    pass
        except (TimeoutError, GatewayError):
            return  # the answer is complete; only the connection is lost


def _answer_headers(provider: Provider, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Without the content type: what the gateway sends is JSON or an event stream, checked, whatever it was called."""
    returned = [pair for pair in returned_headers(headers) if pair[0] != b"content-type"]
    returned.append((b"x-gatewayz-provider", provider.name.encode()))
    return returned
