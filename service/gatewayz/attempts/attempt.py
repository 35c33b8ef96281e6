"""One call to one provider, settled exactly once: when it has answered, when it has failed, and when it is cancelled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gatewayz.attempts.answer import Answer
from gatewayz.attempts.context import CallContext
from gatewayz.attempts.disconnect import OrphanedCalls
from gatewayz.attempts.error_body import read_error_body
from gatewayz.attempts.outcome_sinks import OutcomeSinks
from gatewayz.attempts.prepare import PreparedRequest
from gatewayz.attempts.record import AttemptRecord, PriceOf
from gatewayz.attempts.stream import begin_stream
from gatewayz.errors import (
    CallerCancelled,
    GatewayError,
    ProviderConnectTimeout,
    ProviderError,
    ProviderFirstChunkTimeout,
    ProviderIdleTimeout,
    ProviderRateLimited,
)
from gatewayz.providers.base import Payload, Provider
from gatewayz.providers.keypool import Secret
from gatewayz.providers.returned_headers import answer_headers, refusal_headers
from gatewayz.records import Attempt, Call, State
from gatewayz.routing.affinity import ResponseAffinity
from gatewayz.routing.route_states import RouteStates
from gatewayz.routing.turns import Turn
from gatewayz.upstream import UpstreamRequest, UpstreamResponse
from gatewayz.wires.base import AnswerInfo, CallerWire, Translation
from gatewayz.wires.fold import Fold
from gatewayz.wires.refusals.by_status import SPENT

_ABOUT_THE_KEY = (401, 402, 429)
"""Statuses by which a provider says something about the key that was used."""

_TIMEOUTS = (ProviderConnectTimeout, ProviderFirstChunkTimeout, ProviderIdleTimeout)


class _Running(State):
    """An attempt under way."""

    call: Call
    caller_wire: CallerWire
    context: CallContext
    turn: Turn[PreparedRequest]
    provider: Provider
    key: Secret | None
    record: AttemptRecord
    translation: Translation | None
    request: UpstreamRequest | None = None


class Attempts:
    """Makes attempts; one per worker."""

    def __init__(
        self,
        routes: RouteStates,
        affinity: ResponseAffinity,
        sinks: OutcomeSinks,
        orphaned: OrphanedCalls,
        price_of: PriceOf | None,
        max_upstream_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self._routes = routes
        self._affinity = affinity
        self._sinks = sinks
        self._orphaned = orphaned
        self._price_of = price_of
        self._max_upstream_bytes = max_upstream_bytes
        self._clock = clock

    async def make(
        self,
        call: Call,
        caller_wire: CallerWire,
        context: CallContext,
        turn: Turn[PreparedRequest],
        on_stream_end: Callable[[], None],
    ) -> Answer:
        """The provider's answer in the caller's wire. ``on_stream_end`` is called when the attempt ends, if the answer is a
        stream. Raises a GatewayError when there is no answer, or nobody left to read it."""
        running = self._begin(call, caller_wire, context, turn)
        record = running.record
        try:
            answer = await self._answer(running)
        except GatewayError as error:
            self._learn_from_error(running, error)
            record.settle(error.error_type, caller_deadline=self._ended_by_caller(running, error))
            raise
        except BaseException as error:
            record.settle("caller_cancelled" if isinstance(error, asyncio.CancelledError) else "gateway_internal")
            raise
        finally:
            context.disconnect.attempt_over()
        if answer.events is not None:
            record.on_end = on_stream_end
            return answer
        record.settle(None, whole=True)
        if context.disconnect.gone:
            raise CallerCancelled("The caller closed the connection.")
        return answer

    def _begin(
        self, call: Call, caller_wire: CallerWire, context: CallContext, turn: Turn[PreparedRequest]
    ) -> _Running:
        candidate, prepared = turn.candidate, turn.request
        translation = prepared.translation(_answer_info(call, context)) if prepared.translation is not None else None
        key = candidate.state.take_key(candidate.model, self._clock())
        record = self._record(call, context, turn, prepared.wire.fold() if translation is None else translation.fold)
        if record.body is not None and not call.stream:
            context.disconnect.whole_answer_began(self._orphaned)
        return _Running(call, caller_wire, context, turn, candidate.provider, key, record, translation)

    def _record(self, call: Call, context: CallContext, turn: Turn[PreparedRequest], fold: Fold) -> AttemptRecord:
        candidate, provider, key = turn.candidate, turn.candidate.provider, context.key
        attempt = Attempt(
            operation=call.operation,
            provider=provider.name,
            otel_provider=provider.otel_name,
            model=candidate.model,
            server_address=provider.address.host,
            server_port=provider.address.port,
            stream=call.stream,
            number=turn.number,
            reason=turn.reason,
            customer_id=None if key is None else key.customer_id,
            parameters=call.parameters,
        )
        context.totals.attempts += 1
        return AttemptRecord(
            context,
            attempt,
            candidate.state,
            self._routes.enter(candidate, context.breaker_changed),
            context.telemetry.start_attempt(attempt),
            fold,
            self._sinks,
            None if call.operation == "count_tokens" else turn.request.body,
            self._price_of,
        )

    async def _answer(self, running: _Running) -> Answer:
        request = running.request = self._request(running)
        response = await running.provider.send(request)
        try:
            running.record.status = response.status
            if not 200 <= response.status < 300:
                raise await _provider_error(running, response)
            if running.key is not None:
                running.turn.candidate.state.keys.succeeded(running.key)
            if running.call.stream:
                answer = await begin_stream(
                    running.call,
                    running.caller_wire,
                    running.provider,
                    running.translation,
                    response,
                    running.record,
                    request.timeouts.first_byte_s,
                    running.turn.request.framing(),
                )
                self._learn_from_answer(running)
                return answer
            body = await response.read(self._max_upstream_bytes)
            answer = self._whole(running, response, body)
        except BaseException:
            response.close()
            raise
        response.close()
        return answer

    def _whole(self, running: _Running, response: UpstreamResponse, body: bytes) -> Answer:
        if running.translation is None:
            running.record.fold.reply(body)
        else:
            body = running.translation.reply(body)
        self._learn_from_answer(running)
        name = running.provider.name
        return Answer(response.status, answer_headers(response.headers, name), name, body=body)

    def _request(self, running: _Running) -> UpstreamRequest:
        """Within the provider's timeouts, the caller's, and what is left of the call's time."""
        context, prepared, record = running.context, running.turn.request, running.record
        stream, limited = running.call.stream, context.caller_deadline or running.turn.number > 1
        timeouts = running.provider.timeouts(
            stream,
            total_s=context.deadline_s - self._clock() if limited else None,
            first_byte_s=context.options.first_chunk_timeout_s,
        )
        return running.provider.request(
            Payload(prepared.path, prepared.body, stream, prepared.wire.name, prepared.headers),
            timeouts,
            running.key,
            traceparent=record.telemetry.traceparent,
            on_sent=record.sent,
        )

    def _learn_from_answer(self, running: _Running) -> None:
        prepared = running.turn.request
        if prepared.instead_of is not None:
            running.turn.candidate.state.learn_missing(*prepared.instead_of)
        if prepared.wire.name == running.caller_wire.name == "openai_responses":
            self._affinity.remember(running.record.fold.response_id, running.provider.name)

    def _learn_from_error(self, running: _Running, error: GatewayError) -> None:
        """What the provider's error says about our key, and about when to call again."""
        if not isinstance(error, ProviderError):
            return
        status, key = error.upstream_status, running.key
        if isinstance(error, ProviderRateLimited):
            status = 402 if error.code in SPENT else 429
        if key is not None and status in _ABOUT_THE_KEY:
            candidate = running.turn.candidate
            candidate.state.keys.failed(key, candidate.model, status, error.retry_after_s, self._clock())
        elif error.retry_after_s:
            running.record.visit.cool_down(error.retry_after_s)

    def _ended_by_caller(self, running: _Running, error: GatewayError) -> bool:
        """Whether the attempt timed out although its provider has more time by configuration: the caller, or what was left of the
        call's time, allowed less."""
        own = running.provider.timeouts(running.call.stream)
        if running.request is None or running.request.timeouts is own or not isinstance(error, _TIMEOUTS):
            return False
        allowed, age_s = running.request.timeouts, running.record.age_s()
        if allowed.total_s < own.total_s and age_s >= allowed.total_s:
            return True
        return isinstance(error, ProviderFirstChunkTimeout) and allowed.first_byte_s <= age_s < own.first_byte_s


def _answer_info(call: Call, context: CallContext) -> AnswerInfo:
    return AnswerInfo(context.request_id, call.model, int(time.time()), call.stream, call.include_usage, time.time)


async def _provider_error(running: _Running, response: UpstreamResponse) -> ProviderError:
    """The error that an answer with another status than 2xx stands for."""
    body = await read_error_body(response)
    wire = running.turn.request.wire
    error = wire.error(response.status, response.headers, body, running.provider.secrets, now_s=time.time())
    return error.replaced(headers=refusal_headers(response.headers))
