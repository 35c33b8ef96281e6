"""The story of a call: what is wished, who may answer it, one attempt after another, the answer, the record.

A unary answer and a stream end in the same place (``AttemptRecord.settle``): bytes are forwarded first and observed second,
the observations fold into one Outcome, and the attempt is recorded exactly once, also when the caller leaves. Another attempt
follows a failure only while the caller has not got a byte.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from gatewayz.attempts.answer import Answer, answer_headers, refused_headers
from gatewayz.attempts.disconnect import Awaited, LeavePolicy, Presence
from gatewayz.attempts.error_body import read_refusal
from gatewayz.attempts.prepare import Headers, Speech, speech_for, speech_instead
from gatewayz.attempts.record import AttemptRecord, PriceOf
from gatewayz.attempts.stream import begin_stream
from gatewayz.errors import (
    CallerCancelled,
    GatewayError,
    InvalidRequest,
    Overloaded,
    ProviderBadRequest,
    ProviderConnectTimeout,
    ProviderError,
    ProviderFirstChunkTimeout,
    ProviderIdleTimeout,
    ProviderRateLimited,
)
from gatewayz.providers.base import Providers
from gatewayz.providers.keypool import Secret
from gatewayz.records import Attempt, AttemptReason, Call, KeyIdentity, Record
from gatewayz.routing.breaker import State
from gatewayz.routing.candidates import Candidate, absent_from
from gatewayz.routing.choice import Choice
from gatewayz.routing.failures import Failures
from gatewayz.routing.overrides import Wish, wish_of
from gatewayz.routing.policy import RoutingPolicy
from gatewayz.routing.response_affinity import Makers
from gatewayz.routing.retry import pause_s, verdict
from gatewayz.routing.retry_budget import Grant, RetryBudget
from gatewayz.routing.route_states import Routes, Skipped, Visit
from gatewayz.routing.strategies import CostOf, no_price
from gatewayz.telemetry import names
from gatewayz.telemetry.request import RequestTelemetry
from gatewayz.upstream import Timeouts
from gatewayz.wires.base import AnswerInfo, CallerWire
from gatewayz.wires.refusals.by_status import SPENT

logger = logging.getLogger(__name__)

_KEY_MATTERS = (401, 402, 429)
"""What a provider's refusal says about the key that was used."""


class _Asked(Record, frozen=True):
    """One call with everything that belongs to it, while candidates are asked."""

    call: Call
    caller: CallerWire
    key: KeyIdentity | None
    telemetry: RequestTelemetry
    wish: Wish
    presence: Presence
    until_s: float
    hurried: bool
    """The call has less time than attempts have anyway."""
    headers: Headers
    """The caller's; what of them goes on, each candidate's speech says."""

    def answer_info(self) -> AnswerInfo:
        call = self.call
        now_s = int(time.time())
        return AnswerInfo(self.telemetry.request_id, call.model, now_s, call.stream, call.include_usage, time.time)

    def skipped(self, candidate: Candidate, reason: str) -> None:
        told = {names.PROVIDER: candidate.provider.name, names.SKIP_REASON: reason}
        self.telemetry.event(names.CANDIDATE_SKIPPED, told)

    def breaker_changed(self, candidate: Candidate, state: State) -> None:
        name, model = candidate.provider.name, candidate.model
        told = {names.PROVIDER: name, names.REQUEST_MODEL: model, names.BREAKER_STATE: state}
        self.telemetry.event(names.BREAKER_CHANGED, told)
        logger.warning("circuit breaker changed", extra={"provider": name, "model": model, "state": state})


class Gateway:
    """Answers calls through the providers; one per worker. Remembers of the calls before only how the routes did."""

    def __init__(
        self,
        providers: Providers,
        *,
        max_upstream_bytes: int,
        policy: RoutingPolicy | None = None,
        leave_policy: LeavePolicy | None = None,
        cost_of: CostOf = no_price,
        price_of: PriceOf | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.providers = providers
        self.policy = policy or RoutingPolicy()
        self.routes = Routes(self.policy, clock)
        providers.when_gone = self.routes.forget
        self._max_upstream_bytes = max_upstream_bytes
        self._price_of = price_of
        self._awaited = Awaited(leave_policy or LeavePolicy())
        self._choice = Choice(providers, self.policy, self.routes, cost_of, clock=clock, random=chance)
        self._makers = Makers()
        self._budget = RetryBudget(self.policy.retry, clock)
        self._clock = clock
        self._chance = chance
        self._sleep = sleep
        self._in_flight = 0

    async def answer(
        self,
        call: Call,
        caller: CallerWire,
        key: KeyIdentity | None,
        telemetry: RequestTelemetry,
        headers: Headers = (),
        presence: Presence | None = None,
    ) -> Answer:
        """The answer to a call, in the caller's wire. ``headers`` are the request's, in which he may wish for another routing;
        ``presence`` is he himself, who may leave before a whole answer is there. Cancelling ends the call and its attempt.

        Raises a GatewayError when there is none; once a stream has begun, its failures arrive inside it instead (an error
        event, never the end of an answer).
        """
        call, wish = wish_of(headers, call)
        candidates = self._makers.only(call, self._choice.candidates(call, wish, key))
        if wish.models or call.model in self.providers.groups:
            for name, missing in absent_from((call.model, *wish.models), self.providers):
                telemetry.event(names.CANDIDATE_SKIPPED, {names.PROVIDER: name, names.SKIP_REASON: missing})
        if self._in_flight >= self.policy.max_in_flight:
            raise Overloaded("The gateway serves as many calls as it can at a time.", retry_after_s=1.0)
        time_s = self.policy.max_timeout_s
        for limit_s in (wish.timeout_s, call.total_timeout_s):
            if limit_s is not None and limit_s < time_s:
                time_s = limit_s
        until_s, hurried = self._clock() + time_s, time_s < self.policy.max_timeout_s
        self._in_flight += 1
        self._budget.request_began()
        open_ended = False
        try:
            asked = _Asked(call, caller, key, telemetry, wish, presence or Presence(), until_s, hurried, headers)
            answer = await self._ask_in_turn(asked, candidates)
            open_ended = answer.events is not None
            return answer
        finally:
            if not open_ended:
                self._leave()

    def _leave(self) -> None:
        self._in_flight -= 1
        self._budget.request_ended()

    async def _ask_in_turn(self, asked: _Asked, candidates: Sequence[Candidate]) -> Answer:
        """The first answer that begins well. A first attempt is free, each further one is on the budget."""
        failures = Failures()
        try:
            return await self._first_answer(asked, candidates, failures)
        finally:
            failures.forget()

    async def _first_answer(self, asked: _Asked, candidates: Sequence[Candidate], failures: Failures) -> Answer:
        number = 0
        for place, candidate in enumerate(candidates):
            tries, waited = 0, False
            try:
                speech = speech_for(asked.call, asked.caller, candidate.provider, candidate.model, asked.headers)
            except InvalidRequest as error:
                failures.add(candidate, error, called=False)
                asked.skipped(candidate, "untranslatable")
                continue
            while True:
                left_s = asked.until_s - self._clock()
                if number and left_s <= 0:
                    raise failures.final()
                others = self._may_ask_one_of(candidates[place + 1 :])
                if (skipped := self.routes.skipped(candidate)) is not None:
                    if not waited and not others and await self._rest(skipped, left_s):
                        waited = True
                        continue
                    asked.skipped(candidate, skipped.reason)
                    failures.skip(candidate, skipped)
                    break
                grant: Grant = "free"
                if number:
                    wait_s = min(left_s, self.policy.retry.budget_wait_s)
                    grant = await self._budget.take(partial(self.routes.sound, candidate), wait_s)
                    if grant == "refused":
                        raise failures.final()
                    if self.routes.skipped(candidate) is not None:  # while we waited
                        if grant == "lent":
                            self._budget.settle(well=True)
                        continue
                number, tries = number + 1, tries + 1
                reason: AttemptReason = "first" if number == 1 else "retry" if tries > 1 else "fallback"
                well = True
                try:
                    return await self._attempt(asked, candidate, speech, number, reason)
                except GatewayError as error:
                    well = False
                    if asked.presence.gone:
                        raise _left() from error
                    other = speech_instead(speech, error, asked.call, asked.caller, candidate.provider, candidate.model)
                    if other is not None and number < self.policy.retry.max_attempts:
                        failures.add(candidate, error, called=True)
                        speech = other
                        continue
                    substitute = isinstance(error, ProviderBadRequest) and failures.of_others(candidate)
                    failures.add(candidate, error, called=True)
                    if (verdict(error) == "final" and not substitute) or number == self.policy.retry.max_attempts:
                        raise failures.final() from None
                    pause = pause_s(
                        error,
                        self.policy.retry,
                        tries=tries,
                        others=others,
                        another_key=self._has_another_key(candidate, tries),
                        left_s=asked.until_s - self._clock(),
                        random=self._chance,
                    )
                finally:
                    if grant == "lent":
                        self._budget.settle(well=well)
                if pause is None:
                    break
                if pause:
                    await self._sleep(pause)
        raise failures.final()

    def _may_ask_one_of(self, others: Sequence[Candidate]) -> bool:
        return bool(others) and any(self.routes.skipped(one) is None for one in others)

    async def _rest(self, skipped: Skipped, left_s: float) -> bool:
        """Waits with a candidate that nobody can stand in for, if it is worth it."""
        if skipped.reason != "rate_limited" or skipped.retry_after_s > min(self.policy.retry.max_wait_s, left_s):
            return False
        await self._sleep(skipped.retry_after_s * (1.0 + 0.1 * self._chance()))
        return True

    def _has_another_key(self, candidate: Candidate, tries: int) -> bool:
        provider = candidate.provider
        return tries < len(provider.keys) and provider.wait_s(candidate.model, self._clock()) <= 0

    async def _attempt(
        self, asked: _Asked, candidate: Candidate, speech: Speech, number: int, reason: AttemptReason
    ) -> Answer:
        call, provider = asked.call, candidate.provider
        translation = speech.translation(asked.answer_info()) if speech.translation is not None else None
        secret = provider.take_key(candidate.model, self._clock())
        visit = self.routes.enter(candidate, asked.breaker_changed)
        span = asked.telemetry.start_attempt(
            Attempt(
                operation=call.operation,
                provider=provider.name,
                otel_provider=provider.otel_name,
                model=candidate.model,
                server_address=provider.server_address,
                server_port=provider.server_port,
                stream=call.stream,
                number=number,
                reason=reason,
                customer_id=asked.key.customer_id if asked.key else None,
                parameters=call.parameters,
            )
        )
        charged = None if call.operation == "count_tokens" else speech.body
        fold = speech.wire.fold() if translation is None else translation.fold
        record = AttemptRecord(provider, candidate.model, span, visit, fold, self._price_of, request=charged)
        if not call.stream and charged is not None:
            asked.presence.charged_whole(self._awaited)
        patience = own = provider.timeouts(call.stream)
        try:
            left_s = asked.until_s - self._clock() if asked.hurried or number > 1 else None
            request = provider.request(
                speech.path,
                speech.body,
                call.stream,
                wire=speech.wire.name,
                forwarded=speech.headers,
                key=secret,
                traceparent=span.traceparent,
                total_s=left_s,
                on_sent=record.sent,
            )
            if (first_s := asked.wish.first_chunk_timeout_s) is not None and first_s < request.timeouts.first_byte_s:
                request = replace(request, timeouts=replace(request.timeouts, first_byte_s=first_s))
            patience = request.timeouts
            response = await provider.upstream.send(request)
            try:
                record.status = response.status
                if not 200 <= response.status < 300:
                    refusal = await read_refusal(response)
                    refused = speech.wire.error(
                        response.status, response.headers, refusal, provider.secrets, now_s=time.time()
                    )
                    refused.headers = refused_headers(response.headers)
                    raise refused
                if secret is not None:
                    provider.keys.succeeded(secret)
                if call.stream:
                    first_s, framing = request.timeouts.first_byte_s, speech.framing()
                    answer = await begin_stream(
                        call, asked.caller, provider, translation, response, record, first_s, framing
                    )
                    self._learn_from_answer(asked, candidate, speech, record)
                    record.then = self._leave  # last: whatever fails before this is ended by ``answer``
                    return answer
                reply = await response.read(self._max_upstream_bytes)
                if translation is None:
                    record.fold.reply(reply)
                else:
                    reply = translation.reply(reply)
                self._learn_from_answer(asked, candidate, speech, record)
            except BaseException:
                response.close()
                raise
        except GatewayError as error:
            error.provider = provider.name
            self._learn_from(error, secret, candidate, visit)
            record.settle(error.error_type, hurried=_hurried(error, patience, own, record.age_s()))
            raise
        except BaseException as error:
            record.settle("caller_cancelled" if isinstance(error, asyncio.CancelledError) else "gateway_internal")
            raise
        finally:
            asked.presence.over()
        response.close()
        record.settle(None, whole=True, unread=asked.presence.gone)
        if asked.presence.gone:
            raise _left()
        return Answer(response.status, answer_headers(provider, response.headers), provider.name, body=reply)

    def _learn_from_answer(self, asked: _Asked, candidate: Candidate, speech: Speech, record: AttemptRecord) -> None:
        if speech.instead_of is not None:
            candidate.provider.learn_lack(*speech.instead_of)
        if speech.wire.name == asked.caller.name == "openai_responses":
            self._makers.made(record.fold.response_id, candidate.provider.name)

    def _learn_from(self, error: GatewayError, secret: Secret | None, candidate: Candidate, visit: Visit) -> None:
        """What the provider's refusal says about our key, and about when to come back."""
        if not isinstance(error, ProviderError):
            return
        status = error.upstream_status
        if isinstance(error, ProviderRateLimited):
            status = 402 if error.code in SPENT else 429
        if secret is not None and status in _KEY_MATTERS:
            candidate.provider.refused(secret, candidate.model, status, error.retry_after_s, self._clock())
        elif error.retry_after_s:
            visit.rest(error.retry_after_s)


def _hurried(error: GatewayError, patience: Timeouts, own: Timeouts, age_s: float) -> bool:
    """Whether an attempt ended for want of time that its provider has by configuration: of its ``own`` the caller, or what was
    left of his call's time, allowed only ``patience``."""
    if patience is own or not isinstance(
        error, ProviderConnectTimeout | ProviderFirstChunkTimeout | ProviderIdleTimeout
    ):
        return False
    if patience.total_s < own.total_s and age_s >= patience.total_s:
        return True
    return isinstance(error, ProviderFirstChunkTimeout) and patience.first_byte_s <= age_s < own.first_byte_s


def _left() -> CallerCancelled:
    return CallerCancelled("The caller closed the connection.")
