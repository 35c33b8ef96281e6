"""A gateway in this process, over real sockets to scripted providers, with telemetry that ends in a receiver of ours."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import pytest_asyncio
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gatewayz.attempts.answer import Answer
from gatewayz.attempts.context import CallContext
from gatewayz.attempts.outcome_sinks import OutcomeSinks, RouteStateSink, TelemetrySink
from gatewayz.config import Settings, load_settings
from gatewayz.errors import GatewayError
from gatewayz.gateway import Gateway
from gatewayz.providers.catalog import load_providers
from gatewayz.providers.registry import Providers
from gatewayz.records import HttpRequest, KeyIdentity, ModelGroup, RequestEnd
from gatewayz.routing.policy import RoutingPolicy
from gatewayz.routing.strategies import CostOf, no_price
from gatewayz.telemetry.setup import Telemetry, start_telemetry
from gatewayz.wires.base import CallerWire
from gatewayz.wires.translate import CALLER_WIRES
from tests.fakes.otlp import HttpSink, attributes
from tests.fakes.provider.server import FakeLLM

KEY = KeyIdentity("kid1", "first key")
CHAT = CALLER_WIRES["openai_chat"]
HELLO: Mapping[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
PROVIDERS = ("openai", "groq", "together", "nvidia")
Headers = Collection[tuple[bytes, bytes]]


def outcome_sinks(telemetry: Telemetry) -> OutcomeSinks:
    """As app.py makes them."""
    return OutcomeSinks((RouteStateSink(), TelemetrySink()), telemetry.record_outcome_failure)


def ended(context: CallContext, status: int, failed: GatewayError | None) -> RequestEnd:
    """How a request ended, as the data plane would tell it."""
    totals = context.totals
    return RequestEnd(
        status,
        "provider_error" if failed else "ok",
        failed.error_type if failed else None,
        model=context.model,
        provider=context.provider,
        attempts=totals.attempts,
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        cost_nano_usd=totals.cost_nano_usd,
        unpriced=totals.unpriced,
    )


class Clock:
    """Time that passes when the gateway sleeps, or when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@dataclass
class Result:
    """What came of one request. Exactly one of ``answer`` and ``error`` is set."""

    request_id: str
    answer: Answer | None = None
    error: GatewayError | None = None
    body: bytes = b""

    @property
    def provider(self) -> str | None:
        return self.answer.provider if self.answer else None

    @property
    def refused(self) -> GatewayError:
        assert self.error is not None, f"it was answered: {self.body[:200]!r}"
        return self.error


@dataclass
class Rig:
    """The gateway and everything around it."""

    gateway: Gateway
    telemetry: Telemetry
    sink: HttpSink
    clock: Clock
    providers: Providers
    fakes: dict[str, FakeLLM]
    _numbers: int = field(default=0)

    async def ask(
        self,
        model: str,
        *,
        stream: bool = False,
        headers: Headers = (),
        caller: CallerWire = CHAT,
        fields: Mapping[str, Any] = HELLO,
        **members: Any,
    ) -> Result:
        """One request from its beginning to its end, as the data plane would make it."""
        self._numbers += 1
        result = Result(f"req-{self._numbers}")
        request = self.telemetry.start_request(
            HttpRequest(
                "POST", "/v1/chat/completions", "/v1/chat/completions", "http", "1.1", (), result.request_id,
                time.time_ns(), key=KEY,
            )
        )  # fmt: skip
        context = CallContext(result.request_id, KEY, headers, request)
        context.model = model
        body = {"model": model, **fields, **({"stream": True} if stream else {}), **members}
        try:
            call = caller.parse(orjson.dumps(body))
            result.answer = answer = await self.gateway.answer(call, caller, context)
            context.provider = answer.provider
            if answer.events is not None:
                async with aclosing(answer.events) as events:
                    async for data in events:
                        result.body += data
            else:
                result.body = answer.body or b""
        except GatewayError as error:
            result.error = error
        failed = result.error or (result.answer.error if result.answer else None)
        status = result.error.status if result.error else 200
        request.end(ended(context, status, failed))
        return result

    def spans(self, result: Result | None = None) -> list[Span]:
        """The attempts' spans (of one request), in their order; closes telemetry, so call it last."""
        self.telemetry.close(5)
        spans = self.sink.received.spans
        if result is not None:
            (server,) = [
                one for one in self.servers() if attributes(one.attributes)["gatewayz.request.id"] == result.request_id
            ]
            spans = [one for one in spans if one.trace_id == server.trace_id]
        found = [one for one in spans if one.kind == Span.SPAN_KIND_CLIENT]
        return sorted(found, key=lambda one: one.start_time_unix_nano)

    def servers(self) -> list[Span]:
        self.telemetry.close(5)
        return [one for one in self.sink.received.spans if one.kind == Span.SPAN_KIND_SERVER]

    def attempts(self, result: Result | None = None) -> list[tuple[str, str, str | None]]:
        """(provider, reason, error type) of each attempt."""
        told = [attributes(one.attributes) for one in self.spans(result)]
        return [(one["gatewayz.provider.name"], one["gatewayz.attempt.reason"], one.get("error.type")) for one in told]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The attributes of the request spans' events of that name."""
        return [
            attributes(event.attributes) for server in self.servers() for event in server.events if event.name == name
        ]


class Rigs:
    """Makes gateways; what they opened is closed after the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def __call__(
        self,
        policy: RoutingPolicy | None = None,
        *,
        groups: Iterable[ModelGroup] = (),
        environment: dict[str, str] | None = None,
        chance: float = 0.5,
        real_time: bool = False,
        cost_of: CostOf = no_price,
        **options: Any,
    ) -> Rig:
        fakes = {name: await self._stack.enter_async_context(FakeLLM()) for name in PROVIDERS}
        sink = HttpSink()
        self._stack.callback(sink.stop)
        reader, writer = os.pipe()
        self._stack.callback(os.close, reader)
        self._stack.callback(os.close, writer)
        telemetry = start_telemetry(
            load_settings(), {"OTEL_BSP_SCHEDULE_DELAY": "20", **sink.environment}, stdout=writer
        )
        self._stack.callback(telemetry.close, 1)
        known: dict[str, str] = {}
        for name, fake in fakes.items():
            known |= {f"{name.upper()}_BASE_URL": fake.base_url, f"{name.upper()}_API_KEY": f"sk-{name}-canary"}
        settings = Settings.model_validate(
            {"first_byte_timeout_s": 2, "first_chunk_timeout_s": 1, "idle_timeout_s": 1} | options
        )
        providers = load_providers(settings, known | (environment or {}))
        self._stack.push_async_callback(providers.close)
        providers.groups = {group.name: group for group in groups}
        clock = Clock()
        more: dict[str, Any] = {} if real_time else {"clock": clock, "sleep": clock.sleep}
        gateway = Gateway(
            providers,
            max_upstream_bytes=settings.max_upstream_bytes,
            sinks=outcome_sinks(telemetry),
            policy=policy,
            chance=lambda: chance,
            cost_of=cost_of,
            **more,
        )
        return Rig(gateway, telemetry, sink, clock, providers, fakes)


@pytest_asyncio.fixture
async def rigs() -> AsyncGenerator[Rigs]:
    async with AsyncExitStack() as stack:
        yield Rigs(stack)


@pytest_asyncio.fixture
async def rig(rigs: Rigs) -> Rig:
    """Four providers, the usual policy, a clock that only moves when told."""
    return await rigs()


@pytest.fixture(autouse=True)
def fresh_context() -> None:
    """Tests share a thread, and so a context; requests in the gateway each have a task of their own."""
    otel_context.attach(Context())
