"""What gatewayz.yaml and the shipped catalogue may say. docs/configuration.md is generated from this module's tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct, field

from gatewayz.records import ModelGroup, Strategy

Wire = Literal["openai_chat", "openai_completions", "openai_responses", "anthropic_messages", "gemini"]
KeyScheme = Literal["bearer", "x-api-key", "x-goog-api-key"]
"""In which header a key is sent."""
MaxTokensName = Literal["max_tokens", "max_completion_tokens"]
ReasoningBack = Literal["content", "details"]

Text = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Dollars = Annotated[float, Meta(ge=0, le=1_000_000)]

ANY_MODEL = "*"
"""Under ``prices``: every model of the provider that has no line of its own."""


class TimeoutsEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds; what is absent is as in the settings (GATEWAYZ_…_TIMEOUT_S)."""

    connect_s: Seconds | None = None
    first_chunk_s: Seconds | None = None
    first_byte_s: Seconds | None = None
    idle_s: Seconds | None = None
    total_s: Seconds | None = None


class PriceEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars per million tokens. Cached and reasoning tokens cost what input and output do, unless said."""

    input: Dollars
    output: Dollars
    cache_read: Dollars | None = None
    cache_write: Dollars | None = None
    reasoning: Dollars | None = None


class ProviderEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One provider. PROVIDER_MEMBERS says what each member means."""

    base_url: Text
    wire_urls: Mapping[Wire, Text] = field(default_factory=dict[Wire, str])
    wires: Annotated[tuple[Wire, ...], Meta(min_length=1)] = ("openai_chat",)
    embeddings: bool = False
    auth: KeyScheme = "bearer"
    keys: tuple[Text, ...] = ()
    keyless: bool = False
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    otel_name: Text | None = None
    model_prefixes: tuple[Text, ...] = ()
    models: tuple[Text, ...] = ()
    list_models: bool = True
    usage_option: bool = True
    max_tokens_name: MaxTokensName = "max_tokens"
    reasoning_back: ReasoningBack | None = None
    propagate: bool = False
    timeouts: TimeoutsEntry = TimeoutsEntry()
    max_concurrency: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    prices_as: Text | None = None
    prices: Mapping[str, PriceEntry] = field(default_factory=dict[str, PriceEntry])
    enabled: bool = True


PROVIDER_MEMBERS: Mapping[str, str] = {
    "base_url": "Where its API lives. `<NAME>_BASE_URL` in the environment takes its place.",
    "wire_urls": "Wire → where that one lives, if it is not under `base_url`. Another `base_url` takes their place.",
    "wires": f"APIs that it speaks, best first: {', '.join(f'`{wire}`' for wire in get_args(Wire))}. "
    "A caller of one of them is forwarded as he is, any other is translated to the first.",
    "embeddings": "Whether it has an embeddings endpoint (OpenAI's; for `gemini` Gemini's).",
    "auth": "How the key is sent: `bearer`, `x-api-key` or `x-goog-api-key`.",
    "keys": "Environment variables that hold keys: all that are set are used, each may hold several, separated by commas.",
    "keyless": "Needs no key (it may have one), and may be called over plain http.",
    "headers": "Further headers for every request.",
    "otel_name": "`gen_ai.provider.name`; default: the entry's name.",
    "model_prefixes": "Plain model names that begin so belong to it.",
    "models": "Model names that it serves; metrics may carry them from the start.",
    "list_models": "Ask its `/models` for more names now and then, in the background.",
    "usage_option": "Takes `stream_options.include_usage`; false for one that reports usage unasked.",
    "max_tokens_name": "The word for the token limit in a chat request: `max_tokens` or `max_completion_tokens`.",
    "reasoning_back": "How it wants an earlier turn's reasoning back, in calls that are translated to chat: `content` "
    "(`reasoning_content`, as DeepSeek), `details` (`reasoning_details`, as OpenRouter); default: not at all.",
    "propagate": "Send our trace context along: only to servers of your own.",
    "timeouts": "`connect_s`, `first_chunk_s` (streams), `first_byte_s` (whole answers), `idle_s`, `total_s`.",
    "max_concurrency": "Most calls at once, per worker.",
    "prices_as": "The provider's name in the price list (genai-prices).",
    "prices": "Model → `input`, `output`, `cache_read`, `cache_write`, `reasoning` in US dollars per million tokens; "
    "`*` stands for all other models. Comes before the price list.",
    "enabled": "False: never call it.",
}


class TargetEntry(Struct, frozen=True, forbid_unknown_fields=True):
    model: Text
    weight: Annotated[float, Meta(ge=0, le=1_000_000)] = 1.0


class GroupEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One name under ``models:``, where it is not just an alias."""

    targets: Annotated[tuple[Text | TargetEntry, ...], Meta(min_length=1, max_length=100)]
    strategy: Strategy = "priority"
    sticky: bool = False


GROUP_MEMBERS: Mapping[str, str] = {
    "targets": "Models as a caller would name them (`openai/gpt-5`), or `{model: …, weight: …}`.",
    "strategy": "`priority` (in this order), `weighted`, `latency` (fastest first, measured) or `cost` (cheapest first).",
    "sticky": "Keep an API key on the target that answered it last, for the sake of prompt caching.",
}


EXAMPLE = """\
providers:
  acme:                                  # a provider of your own: any server with an OpenAI API
    base_url: https://api.acme.example/v1
    keys: [ACME_API_KEY, ACME_API_KEY_2] # variables, never the keys themselves
    models: [acme-large, acme-small]
    timeouts: {first_chunk_s: 5, total_s: 120}
    max_concurrency: 64
    prices:                              # US dollars per million tokens
      acme-large: {input: 2, output: 8, cache_read: 0.5}
      "*": {input: 0.5, output: 1}
  ollama:                                # naming a keyless provider offers it
    base_url: http://gpu-box:11434/v1
  groq:
    enabled: false

models:
  default: openai/gpt-5-mini             # an alias
  smart:                                 # a group: the next one is asked when one fails
    strategy: priority
    sticky: true
    targets: [anthropic/claude-sonnet-4-5, openai/gpt-5, acme/acme-large]
  canary:
    strategy: weighted
    targets:
      - {model: openai/gpt-5-mini, weight: 9}
      - {model: acme/acme-small, weight: 1}
"""


class ConfigFile(Struct, frozen=True):
    """Everything that the shipped catalogue and gatewayz.yaml say together, checked."""

    providers: Mapping[str, ProviderEntry]
    groups: Mapping[str, ModelGroup] = field(default_factory=dict[str, ModelGroup])
    named: frozenset[str] = frozenset()
    """Providers that gatewayz.yaml names: a keyless one is offered only then, or with its address in the environment."""
