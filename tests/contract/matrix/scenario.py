"""What the matrix asks, what the provider then says, and what a caller must see of it: in the words of no wire.

A cell is a caller's wire, a provider's wire, a delivery and a task. What is special about one is in expectations.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gatewayz.wires.base import Wire

Json = dict[str, Any]  # Any: JSON

Delivery = Literal["unary", "stream", "helper"]
"""Whole; raw events, without usage where that must be asked for; through the SDK's accumulator, with usage."""
Task = Literal[
    "text", "tools", "schema", "image", "error", "cut",  # what the issue asks for
    "busy", "broken", "limit", "refusal", "thinking", "one tool", "stop", "logprobs", "image by address", "file", "audio",
]  # fmt: skip
Ending = Literal["end", "calls", "limit", "refused", "stop sequence"]
Medium = Literal["image", "image by address", "file", "audio"]
Choice = Literal["auto", "required", "one"]

PROVIDER_WIRES: tuple[Wire, ...] = get_args(Wire)
CALLER_WIRES: tuple[Wire, ...] = tuple(wire for wire in PROVIDER_WIRES if wire != "gemini")
DELIVERIES: tuple[Delivery, ...] = get_args(Delivery)
TASKS: tuple[Task, ...] = get_args(Task)

SYSTEM = "Be brief."
USER = "user-1"
MAX_TOKENS = 4000
TEMPERATURE = 0.5
STOP = "STOP"
PNG = "iVBORw0KGgo="
IMAGE_ADDRESS = "https://example.com/cat.png"
PDF = "JVBERi0xLjQKJSVFT0YK"
WAV = "UklGRiQAAABXQVZFZm10IBAAAAA="
REFUSED_MESSAGE = "prompt: too dull for this model"
REFUSAL = "I'm sorry, I can't help with that."
SIGNATURE = "c2lnbmF0dXJlIG9mIGEgdGhvdWdodA=="
RETRY_AFTER_S = 3600


@dataclass(frozen=True, slots=True)
class Tokens:
    """Usage, as a user counts: input holds what was cached, output what was thought."""

    input: int = 20
    cached: int = 8
    output: int = 9
    thought: int = 3


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """``parts``: the arguments as they are streamed."""

    name: str
    parts: tuple[str, ...]
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider says in one turn. ``text`` in the parts in which it is streamed."""

    text: tuple[str, ...] = ()
    thought: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[float, ...] = ()
    """One for each part of the text, which then are tokens."""
    ending: Ending = "end"

    @property
    def whole(self) -> str:
        return "".join(self.text)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One task. ``fault`` is what goes wrong instead of, or in the midst of, the answer."""

    task: Task
    answer: Answer
    prompt: str = "What do you say?"
    after_tools: Answer | None = None
    medium: Medium | None = None
    choice: Choice | None = None
    """With it go the two tools."""
    schema: bool = False
    thinks: bool = False
    stops: bool = False
    fault: Literal["error", "busy", "cut", "broken"] | None = None


def an_object(**properties: str) -> Json:
    members = {name: {"type": kind} for name, kind in properties.items()}
    return {"type": "object", "properties": members, "required": [*properties], "additionalProperties": False}


TOOLS = (Tool("get_weather", an_object(city="string", days="integer")), Tool("get_time", an_object(zone="string")))
RESULTS = {"get_weather": '{"degrees":21}', "get_time": "noon"}
SCHEMA = an_object(city="string", degrees="integer")
GREETING = ("Grüß ", "dich ", "🙂!")
WEATHER = ToolCall("get_weather", ('{"city":"Kö', 'ln","days"', ":2}"), {"city": "Köln", "days": 2})
TIME = ToolCall("get_time", ('{"zone":', '"Europe/Berlin"}'), {"zone": "Europe/Berlin"})
DONE = Answer(("It is ", "21 °C at noon."))

SCENARIOS: Mapping[Task, Scenario] = {
    scenario.task: scenario
    for scenario in (
        Scenario("text", Answer(GREETING)),
        Scenario(
            "tools",
            Answer(("Let me ", "look."), calls=(WEATHER, TIME), ending="calls"),
            choice="required",
            after_tools=DONE,
        ),
        Scenario("schema", Answer(('{"city":"Kö', 'ln","degrees"', ":21}")), schema=True),
        Scenario("image", Answer(("A ", "pixel.")), medium="image"),
        Scenario("error", Answer(), fault="error"),
        Scenario("cut", Answer(GREETING), fault="cut"),
        Scenario("busy", Answer(), fault="busy"),
        Scenario("broken", Answer(GREETING), fault="broken"),
        Scenario("limit", Answer(("And ", "then"), ending="limit")),
        Scenario("refusal", Answer((REFUSAL,), ending="refused")),
        Scenario(
            "thinking",
            Answer(("I look. ",), thought=("Hm, ", "let me see."), calls=(WEATHER,), ending="calls"),
            choice="auto",
            thinks=True,
            after_tools=DONE,
        ),
        Scenario("one tool", Answer(calls=(WEATHER,), ending="calls"), choice="one", after_tools=DONE),
        Scenario("stop", Answer(GREETING, ending="stop sequence"), stops=True),
        Scenario("logprobs", Answer(("Grüß", " dich"), logprobs=(-0.25, -1.5))),
        Scenario("image by address", Answer(("A ", "cat.")), medium="image by address"),
        Scenario("file", Answer(("An ", "empty page.")), medium="file"),
        Scenario("audio", Answer(("Silence.",)), medium="audio"),
    )
}  # fmt: skip

CUT_AFTER = 2
"""So many parts of the text come before a stream is cut or breaks."""


@dataclass(frozen=True, slots=True)
class Failure:
    """``status`` is None inside a stream. ``word`` is the wire's own: OpenAI's code or type, Anthropic's type."""

    status: int | None
    word: str | None
    param: str | None = None
    message: str = ""
    retry_after: str | None = None


@dataclass(slots=True)
class Seen:
    """What the user of an SDK gets to see."""

    text: str = ""
    thought: str = ""
    calls: list[tuple[str, Json]] = field(default_factory=list[tuple[str, Json]])
    ending: Ending | None = None
    usage: Tokens | None = None
    logprobs: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    failure: Failure | None = None
    after_tools: str = ""
    """The answer to the results of the tools."""


@dataclass(frozen=True, slots=True)
class Cell:
    caller: Wire
    provider: Wire
    delivery: Delivery
    scenario: Scenario

    @property
    def streamed(self) -> bool:
        return self.delivery != "unary"

    @property
    def native(self) -> bool:
        return self.caller == self.provider

    @property
    def model(self) -> str:
        """The provider's name of the model, which no other cell has: by it the cell's requests and spans are found."""
        name = f"{self.scenario.task.replace(' ', '-')}.{self.caller}.{self.provider}.{self.delivery}"
        return f"gemini-3-flash.{name}" if self.provider == "gemini" else name  # its generation decides how it thinks

    @property
    def id(self) -> str:
        return f"{self.caller}-{self.provider}-{self.scenario.task}-{self.delivery}"


CELLS = tuple(
    Cell(caller, provider, delivery, SCENARIOS[task])
    for caller in CALLER_WIRES
    for provider in PROVIDER_WIRES
    for task in TASKS
    for delivery in DELIVERIES
)
CELL_OF_MODEL: Mapping[str, Cell] = {cell.model: cell for cell in CELLS}
