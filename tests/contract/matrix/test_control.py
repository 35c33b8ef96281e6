"""That the scripts are authentic: each vendor's own SDK, with no gateway in between, reads them as the matrix says."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from google import genai
from google.genai import errors, types

from gatewayz.wires.base import Wire
from tests.contract.matrix.caller import Caller
from tests.contract.matrix.expectations import expected_request, expected_seen
from tests.contract.matrix.gemini_vendor import camel
from tests.contract.matrix.rig import callers_of
from tests.contract.matrix.scenario import (
    CALLER_WIRES,
    CELLS,
    CUT_AFTER,
    MAX_TOKENS,
    PROVIDER_WIRES,
    REFUSED_MESSAGE,
    SYSTEM,
    TEMPERATURE,
    TOOLS,
    Cell,
    Ending,
    Seen,
    Task,
    Tokens,
)
from tests.contract.matrix.scripted import VENDORS, Upstream, scripted_upstream

BROKEN: frozenset[Task] = frozenset(("cut", "broken"))
"""How an SDK says that a connection broke is its own affair; here it matters only that it does."""
FOREIGN: frozenset[Task] = frozenset(("audio",))
_ALIKE = [cell for cell in CELLS if cell.native and cell.scenario.task not in BROKEN | FOREIGN]
NATIVE = [
    cell for cell in _ALIKE
    if cell.caller != "openai_completions" or not (cell.scenario.medium or cell.scenario.choice)
]  # fmt: skip
GEMINI_TASKS: tuple[Task, ...] = (
    "text",
    "tools",
    "thinking",
    "schema",
    "image",
    "limit",
    "refusal",
    "logprobs",
    "error",
    "busy",
    "cut",
    "broken",
)
GEMINI = [
    cell for cell in CELLS
    if (cell.caller, cell.provider) == ("openai_chat", "gemini")
    and cell.delivery != "helper" and cell.scenario.task in GEMINI_TASKS
]  # fmt: skip
ENDINGS: Mapping[str, Ending] = {"STOP": "end", "MAX_TOKENS": "limit", "SAFETY": "refused"}


@dataclass(frozen=True, slots=True)
class Control:
    upstream: Upstream
    callers: Mapping[Wire, Caller]
    google: Any  # its signatures are of unknown types in part


@pytest.fixture(scope="module")
def control() -> Generator[Control]:
    with ExitStack() as stack:
        upstream = stack.enter_context(scripted_upstream())
        urls: dict[Wire, str] = {wire: upstream.url(wire) for wire in PROVIDER_WIRES}
        options = types.HttpOptions(base_url=upstream.url("gemini"), api_version="v1beta")
        google = genai.Client(api_key="a-key", http_options=options)
        stack.callback(google.close)
        yield Control(upstream, callers_of(urls, "a-key", stack), google)


def test_every_wire_has_a_control() -> None:
    assert {cell.provider for cell in (*NATIVE, *GEMINI)} == {*PROVIDER_WIRES}
    assert {cell.caller for cell in NATIVE} == {*CALLER_WIRES}


@pytest.mark.parametrize("cell", NATIVE, ids=lambda cell: cell.id)
def test_the_vendors_own_sdk_reads_its_script(control: Control, cell: Cell) -> None:
    seen = control.callers[cell.caller].ask(cell.model, cell.scenario, cell.delivery)
    expected = expected_seen(cell)
    if cell.scenario.fault is not None:
        assert seen.failure is not None
        assert expected.failure is not None
        assert (seen.failure.status, seen.failure.retry_after) == (
            expected.failure.status,
            expected.failure.retry_after,
        )
        assert expected.failure.message in seen.failure.message
        return
    if cell.caller in ("openai_chat", "openai_completions") and cell.delivery == "stream":
        expected.usage = None
    assert seen == expected


@pytest.mark.parametrize("cell", GEMINI, ids=lambda cell: cell.id)
def test_googles_own_client_reads_geminis_script(control: Control, cell: Cell) -> None:
    """And sends what the matrix expects of the gateway, member for member."""
    seen = Seen()
    failure: Exception | None = None
    try:
        contents = [types.Content(role="user", parts=_parts(cell))]
        _google_turn(control.google, cell, contents, seen)
    except Exception as error:  # noqa: BLE001 - a cut is whatever its HTTP library makes of it
        failure = error
    fault = cell.scenario.fault
    if fault is None:
        assert failure is None
        expected = expected_seen(cell)
        expected.after_tools, expected.usage = "", Tokens()
        expected.ending = "end" if expected.ending == "calls" else expected.ending  # Gemini stops, whatever for
        assert seen == expected
        (taken,) = control.upstream.taken[cell.model]
        asked = VENDORS["gemini"].read(camel(taken.body), native=True)
        wanted = expected_request(cell, VENDORS["gemini"], after_tools=False)
        assert asked == wanted
    elif fault in ("error", "busy"):
        assert isinstance(failure, errors.ClientError)
        assert failure.code == {"error": 400, "busy": 429}[fault]
        assert fault == "busy" or REFUSED_MESSAGE in str(failure)
    else:
        assert cell.streamed <= (seen.text == "".join(cell.scenario.answer.text[:CUT_AFTER]))
        assert seen.ending is None


def _parts(cell: Cell) -> list[types.Part]:
    parts = [types.Part(text=cell.scenario.prompt)]
    if cell.scenario.medium:
        medium = VENDORS["gemini"].media[cell.scenario.medium]
        parts.append(types.Part.model_validate_json(orjson.dumps(medium)))
    return parts


def _google_turn(google: Any, cell: Cell, contents: list[types.Content], seen: Seen) -> None:
    scenario = cell.scenario
    config = types.GenerateContentConfig(
        system_instruction=SYSTEM,
        max_output_tokens=MAX_TOKENS,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    if scenario.thinks:
        level = types.ThinkingLevel.LOW
        config.thinking_config = types.ThinkingConfig(thinking_level=level, include_thoughts=True)
    else:
        config.temperature = TEMPERATURE
    if scenario.choice:
        declared = [types.FunctionDeclaration(name=one.name, parameters_json_schema=dict(one.schema)) for one in TOOLS]
        config.tools = [types.Tool(function_declarations=declared)]
        mode = (
            types.FunctionCallingConfigMode.ANY
            if scenario.choice == "required"
            else types.FunctionCallingConfigMode.AUTO
        )
        config.tool_config = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=mode))
    if scenario.schema:
        wanted = expected_request(cell, VENDORS["gemini"], after_tools=False).schema
        config.response_mime_type, config.response_json_schema = "application/json", wanted
    if scenario.answer.logprobs:
        config.response_logprobs, config.logprobs = True, 1
    models = google.models
    if cell.streamed:
        for chunk in models.generate_content_stream(model=cell.model, contents=contents, config=config):
            _see(chunk, seen)
    else:
        _see(models.generate_content(model=cell.model, contents=contents, config=config), seen)


def _see(answer: types.GenerateContentResponse, seen: Seen) -> None:
    (candidate,) = answer.candidates or []
    for part in (candidate.content.parts if candidate.content else None) or []:
        if part.function_call:
            seen.calls.append((part.function_call.name or "", part.function_call.args or {}))
        elif part.thought:
            seen.thought += part.text or ""
        else:
            seen.text += part.text or ""
    if candidate.finish_reason:
        seen.ending = ENDINGS[candidate.finish_reason.value]
    if candidate.logprobs_result:
        seen.logprobs += [
            (one.token or "", one.log_probability or 0.0) for one in candidate.logprobs_result.chosen_candidates or []
        ]
    if usage := answer.usage_metadata:
        thought = usage.thoughts_token_count or 0
        seen.usage = Tokens(
            usage.prompt_token_count or 0,
            usage.cached_content_token_count or 0,
            (usage.candidates_token_count or 0) + thought,
            thought,
        )
