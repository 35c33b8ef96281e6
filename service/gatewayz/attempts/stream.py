"""One provider's stream on its way to the caller."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from time import perf_counter

from gatewayz.attempts.answer import Answer
from gatewayz.attempts.record import AttemptRecord
from gatewayz.errors import (
    GatewayError,
    Internal,
    ProviderFirstChunkTimeout,
    ProviderMalformedResponse,
    ProviderStreamCut,
)
from gatewayz.providers.base import Provider
from gatewayz.providers.returned_headers import answer_headers
from gatewayz.records import Call, ErrorType
from gatewayz.upstream import UpstreamResponse
from gatewayz.wires.base import CallerWire, Translation
from gatewayz.wires.sse import Splitter

logger = logging.getLogger(__name__)

END_OF_STREAM_GRACE_S = 1.0
"""After the last event the provider gets this long to end the body, so that its connection can be used again."""

MAX_NO_STREAM_BYTES = 65_536
"""What is read of an answer that should have been a stream: enough for an error object."""

MAX_BEFORE_FIRST_BYTES = 1_000_000
"""Comments, and events that say nothing, are kept until the stream has begun; this many are not meant well."""

_CHAT_LIKE = ("openai_chat", "openai_completions")
"""Wires on which usage is an event of its own, sent to those who ask for it."""


class Relay:
    """Whole events only, so that a cut never leaves half of one behind; as they came, or translated."""

    __slots__ = (
        "_begun",
        "_caller",
        "_chunks",
        "_failure",
        "_record",
        "_response",
        "_splitter",
        "_strip_usage",
        "_translation",
    )

    def __init__(
        self,
        call: Call,
        caller: CallerWire,
        translation: Translation | None,
        response: UpstreamResponse,
        record: AttemptRecord,
        splitter: Splitter,
    ) -> None:
        self._response = response
        self._record = record
        self._caller = caller
        self._translation = translation
        self._chunks: AsyncIterator[bytes] = response.chunks()
        self._splitter = splitter
        # We always ask for usage, since we meter; the caller sees the extra event only if he asked as well.
        self._strip_usage = translation is None and not call.include_usage and caller.name in _CHAT_LIKE
        self._begun = False
        self._failure: GatewayError | None = None

    async def first(self, within_s: float) -> bytes:
        """Everything up to and including the first event with data. Raises if the stream fails before that, or with it.

        The upstream sees to it that the first byte comes ``within_s`` seconds from the attempt's start. A provider that sends
        comments meanwhile has no more time than that for its first event.
        """
        waiting = await self._more()
        if not self._begun:
            try:
                async with asyncio.timeout(within_s - self._record.age_s()):
                    while not self._begun:
                        waiting += await self._more()
                        if len(waiting) > MAX_BEFORE_FIRST_BYTES:
                            raise ProviderMalformedResponse("The provider's stream does not come to its first event.")
            except TimeoutError:
                message = f"The provider sent comments, but no event within {within_s:g} s."
                raise ProviderFirstChunkTimeout(message) from None
        fold = self._record.fold
        if fold.done and not (fold.content_events or fold.finish_reasons):
            raise ProviderMalformedResponse("The provider's stream ended without an answer.")
        self._record.began()
        return waiting

    async def _more(self) -> bytes:
        chunk = await anext(self._chunks, None)
        if chunk is None:
            raise ProviderStreamCut("The provider's stream ended before it began.")
        forwarded = self._observe(chunk)
        if self._failure is not None:
            raise self._failure
        return forwarded

    async def events(self, first: bytes, answer: Answer) -> AsyncGenerator[bytes, None]:
        """The stream, ending in an error event (never in its usual end) when the provider fails on the way."""
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
                if self._translation is not None and (last := self._translation.end()):
                    yield last
                ended = None  # from here on the caller has everything, and may leave
                if fold.done:
                    await self._drain()
            except GatewayError as error:
                ended = error.error_type
                answer.error = error.with_traceback(None)  # which would hold this frame, which holds the answer
                yield self._caller.error_event(error)
            except Exception:
                logger.exception("unexpected error while relaying a stream")
                answer.error = Internal("The gateway failed in the middle of this answer; the fault is on its side.")
                ended = answer.error.error_type
                yield self._caller.error_event(answer.error)
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
        fold, translation = self._record.fold, self._translation
        forwarded: list[bytes] = []
        for event in self._splitter.feed(chunk):
            kind, written = (fold.event(event), event) if translation is None else translation.take(event)
            if kind == "error":
                self._failure = fold.error
                break
            if kind != "usage" or not self._strip_usage:
                forwarded.append(written)
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


async def begin_stream(
    call: Call,
    caller: CallerWire,
    provider: Provider,
    translation: Translation | None,
    response: UpstreamResponse,
    record: AttemptRecord,
    first_s: float,
    splitter: Splitter,
) -> Answer:
    """Reads up to the first event with data, so that a stream that fails at once fails as an ordinary error; ``first_s`` is
    how long that may take from the attempt's start, ``splitter`` how the provider's wire frames its events."""
    media_type = response.headers.get("content-type", "").lower()
    if not media_type.startswith(splitter.media_type):
        body = await response.read(MAX_NO_STREAM_BYTES)
        if media_type.startswith("application/json"):
            record.fold.reply(body)  # raises what an error object under status 200 says
        raise ProviderMalformedResponse(f"{provider.name} answered a streamed call with '{media_type[:80]}'.")
    relay = Relay(call, caller, translation, response, record, splitter)
    first = await relay.first(first_s)
    answer = Answer(response.status, answer_headers(response.headers, provider.name), provider.name)
    answer.events = relay.events(first, answer)
    answer.abandon = relay.abandon
    return answer
