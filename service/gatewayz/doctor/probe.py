"""The one request that is followed: sends it under a trace of the doctor's own and reads the whole answer."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import msgspec
import requests
from opentelemetry import trace
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from gatewayz.doctor.hops import Broken
from gatewayz.queries.reader import Part

ROUTE = "/v1/chat/completions"

_TRACERESPONSE = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for the request that is followed."""

    trace_id: str
    """The trace as the gateway names it."""
    ours: bool
    """Whether that is the trace that the doctor began; not so when the key's callers are linked or ignored."""
    request_id: str
    sent_at_s: float
    """Unix time."""
    text: str


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message = msgspec.field(default_factory=_Message)
    delta: _Message = msgspec.field(default_factory=_Message)


class _Reply(msgspec.Struct):
    choices: list[_Choice] = []  # msgspec copies a mutable default for each instance


class _ErrorObject(msgspec.Struct):
    message: str = ""


class _ErrorReply(msgspec.Struct):
    error: _ErrorObject = msgspec.field(default_factory=_ErrorObject)


def instrumented_session() -> tuple[requests.Session, TracerProvider]:
    """A session whose requests carry the W3C context of the doctor's own spans; those spans go nowhere.

    Proxies, netrc and the like are left aside: the parts of a stack are addressed directly, and a netrc entry would
    overwrite the gateway's key.
    """
    provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    RequestsInstrumentor().instrument(tracer_provider=provider)
    session = requests.Session()
    session.trust_env = False
    return session, provider


def end_instrumentation() -> None:
    """Leave ``requests`` as it was found: the doctor may run inside a process that goes on."""
    RequestsInstrumentor().uninstrument()


def send_probe(
    session: requests.Session,
    provider: TracerProvider,
    part: Part,
    *,
    api_key: str,
    model: str,
    stream: bool,
    timeout_s: float,
) -> Answer:
    """Send one request. Raises Broken with one sentence when it was not answered as it should be."""
    body = {
        "model": model,
        "stream": stream,
        "messages": [{"role": "user", "content": "Say in one sentence that the line is open."}],
    }
    sent_at_s = time.time()
    with provider.get_tracer("gatewayz.doctor").start_as_current_span("gatewayz doctor") as span:
        own_trace_id = trace.format_trace_id(span.get_span_context().trace_id)
        try:
            answer = session.post(
                part.url + ROUTE, json=body, headers={"Authorization": f"Bearer {api_key}"}, timeout=timeout_s
            )
        except requests.exceptions.ChunkedEncodingError:
            raise Broken(
                "The answer broke off in the middle: the gateway's log line with `request completed` says why."
            ) from None
        except requests.exceptions.Timeout:
            raise Broken(
                f"The gateway at {part.shown_url} does not answer within {timeout_s:.0f} s: its log says what keeps it busy."
            ) from None
        except requests.exceptions.RequestException:
            # /health has just answered here, so the address is right.
            raise Broken(f"The gateway at {part.shown_url} breaks the connection: its log says why.") from None
    if answer.status_code != 200:
        raise _refused(answer, model)
    text = _streamed_text(answer.content) if stream else _unary_text(answer.content)
    request_id = answer.headers.get("x-request-id")
    named = _TRACERESPONSE.fullmatch(answer.headers.get("traceresponse", ""))
    if not request_id or not named:
        missing = "x-request-id" if not request_id else "traceresponse"
        raise Broken(
            f"The answer has no valid {missing} header: address the gateway itself, not a proxy that removes headers."
        )
    return Answer(named[1], named[1] == own_trace_id, request_id, sent_at_s, text)


def _refused(answer: requests.Response, model: str) -> Broken:
    try:
        reason = msgspec.json.decode(answer.content, type=_ErrorReply).error.message
    except msgspec.DecodeError:
        reason = ""
    reason = (reason or answer.reason).rstrip(".")
    match answer.status_code:
        case 401 | 403:
            return Broken(
                f"The key was refused ({answer.status_code}, {reason}): give a valid one with --api-key or GATEWAYZ_API_KEY; "
                "`gatewayz keys create` makes one."
            )
        case 404:
            return Broken(
                f"The gateway does not know model {model!r} ({reason}): name one of GET /v1/models with --model."
            )
        case 429:
            return Broken(f"The request was refused with 429 ({reason}): wait, or take another model with --model.")
        case status:
            return Broken(
                f"The gateway answered {status} ({reason}): its log line with `request completed` and this error type says more."
            )


def _unary_text(body: bytes) -> str:
    try:
        choices = msgspec.json.decode(body, type=_Reply).choices
    except msgspec.DecodeError:
        choices = []
    if not choices or not choices[0].message.content:
        raise Broken("The answer is 200 but no chat completion: check --gateway, another service may answer there.")
    return choices[0].message.content


def _streamed_text(body: bytes) -> str:
    events = [line.removeprefix(b"data:").strip() for line in body.splitlines() if line.startswith(b"data:")]
    if not events or events[-1] != b"[DONE]":
        raise Broken(
            "The stream ended without its last event ([DONE]): the gateway's log line with `request completed` says why."
        )
    try:
        chunks = [msgspec.json.decode(event, type=_Reply) for event in events[:-1]]
    except msgspec.DecodeError:
        raise Broken(
            "The stream holds an event that is no JSON: check --gateway, another service may answer there."
        ) from None
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
