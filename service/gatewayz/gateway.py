"""The story of a call: its routing options, who may answer it, one attempt after another, the answer.

Another attempt follows a failure only as long as the caller has not received a byte. Each attempt is settled exactly once, also
when its caller disconnects (attempts/attempt.py); whom to try next is decided in routing/turns.py.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

from gatewayz.attempts.answer import Answer
from gatewayz.attempts.attempt import Attempts
from gatewayz.attempts.context import CallContext
from gatewayz.attempts.disconnect import OrphanedCalls, OrphanPolicy
from gatewayz.attempts.outcome_sinks import OutcomeSinks
from gatewayz.attempts.prepare import PreparedRequest, prepare, prepare_on_first_wire
from gatewayz.attempts.record import PriceOf
from gatewayz.errors import CallerCancelled, GatewayError, Overloaded
from gatewayz.providers.registry import Providers
from gatewayz.records import Call
from gatewayz.routing.affinity import ResponseAffinity
from gatewayz.routing.candidates import Candidate, absent_from
from gatewayz.routing.choice import Choice
from gatewayz.routing.options import parse_routing_options
from gatewayz.routing.policy import RoutingPolicy
from gatewayz.routing.retry_budget import RetryBudget
from gatewayz.routing.route_states import RouteStates
from gatewayz.routing.strategies import CostOf, no_price
from gatewayz.routing.turns import Turn, TurnRules, Turns
from gatewayz.wires.base import CallerWire


class Gateway:
    """Answers calls through the providers; one per worker. Of earlier calls it remembers only how the providers did, and which
    provider made which response."""

    def __init__(
        self,
        providers: Providers,
        *,
        max_upstream_bytes: int,
        sinks: OutcomeSinks,
        policy: RoutingPolicy | None = None,
        orphan_policy: OrphanPolicy | None = None,
        cost_of: CostOf = no_price,
        price_of: PriceOf | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``clock`` is monotonic, in seconds; ``chance`` draws from [0, 1)."""
        self.providers = providers
        self.policy = policy or RoutingPolicy()
        self.route_states = RouteStates(self.policy, clock)
        self._clock = clock
        self._choice = Choice(providers, self.policy, self.route_states, cost_of, clock=clock, random=chance)
        self._affinity = ResponseAffinity()
        self._budget = RetryBudget(self.policy.retry, clock)
        self._turn_rules = TurnRules(self.route_states, self._budget, self.policy.retry, clock, sleep, chance)
        orphaned = OrphanedCalls(orphan_policy or OrphanPolicy())
        self._attempts = Attempts(
            self.route_states, self._affinity, sinks, orphaned, price_of, max_upstream_bytes, clock
        )
        self._in_flight = 0

    async def answer(self, call: Call, caller_wire: CallerWire, context: CallContext) -> Answer:
        """The answer to a call, in the caller's wire. Cancelling ends the call and its attempt.

        Raises a GatewayError when there is none; once a stream has begun, its failures arrive inside it instead (an error
        event, never the end of an answer).
        """
        call, context.options = parse_routing_options(context.headers, call)
        candidates = self._affinity.narrow(call, self._choice.candidates(call, context.options, context.key))
        if context.options.models or call.model in self.providers.groups:
            self._report_unavailable(call, context)
        self._admit(context)
        streaming = False
        try:
            answer = await self._first_answer(call, caller_wire, context, candidates)
            streaming = answer.events is not None
            return answer
        finally:
            if not streaming:  # a stream's attempt outlives this, and says when the call is over
                self._call_over()

    async def _first_answer(
        self, call: Call, caller_wire: CallerWire, context: CallContext, candidates: Sequence[Candidate]
    ) -> Answer:
        def request_for(candidate: Candidate) -> PreparedRequest:
            return prepare(call, caller_wire, candidate.state, candidate.model, context.headers)

        turns = Turns(self._turn_rules, candidates, request_for, context.deadline_s, context.skipped)
        try:
            while (turn := await turns.next()) is not None:
                try:
                    return await self._attempts.make(call, caller_wire, context, turn, self._call_over)
                except GatewayError as error:
                    turns.failed(turn, error, _on_first_wire(call, caller_wire, turn, error))
                if context.disconnect.gone:
                    raise CallerCancelled("The caller closed the connection.")
            raise turns.final()
        finally:
            turns.close()

    def _report_unavailable(self, call: Call, context: CallContext) -> None:
        """Providers that are named for this call but cannot be called at all."""
        for provider, reason in absent_from((call.model, *context.options.models), self.providers):
            context.skipped(provider, reason)

    def _admit(self, context: CallContext) -> None:
        """Takes one of the worker's places and sets the call's deadline. Raises Overloaded when no place is free."""
        if self._in_flight >= self.policy.max_in_flight:
            raise Overloaded("The gateway serves as many calls as it can at a time.", retry_after_s=1.0)
        time_s, wanted_s = self.policy.max_timeout_s, context.options.timeout_s
        if wanted_s is not None and wanted_s < time_s:
            time_s, context.caller_deadline = wanted_s, True
        context.deadline_s = self._clock() + time_s
        self._in_flight += 1
        self._budget.call_began()

    def _call_over(self) -> None:
        self._in_flight -= 1
        self._budget.call_ended()


def _on_first_wire(
    call: Call, caller_wire: CallerWire, turn: Turn[PreparedRequest], error: GatewayError
) -> PreparedRequest | None:
    """The call on the provider's first wire, where the provider has just said that it lacks the endpoint of another."""
    provider, model = turn.candidate.provider, turn.candidate.model
    return prepare_on_first_wire(turn.request, error, call, caller_wire, provider, model)
