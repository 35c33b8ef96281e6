"""What the gateway knows about one provider, and the requests it sends there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from gatewayz import __version__
from gatewayz.configfile.schema import Auth, MaxTokensName, ReasoningBack, Wire
from gatewayz.errors import ProviderRateLimited
from gatewayz.providers.keypool import KeyPool
from gatewayz.providers.keypool import Secret as Secret
from gatewayz.records import ModelGroup
from gatewayz.upstream import Timeouts, Upstream, UpstreamRequest

OTHER = "other"
MAX_LEARNED = 200  # per provider and process: bounds the series that models outside the catalogue can open
MAX_LISTED = 2000  # model names taken from one provider's own list; OpenRouter, with hundreds, is the longest of use

MAX_LACKING = 1000  # wires and models, per provider and process, whose endpoint turned out not to be there

_RETURNED = ("content-type", "retry-after", "openai-processing-ms")
_RETURNED_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")
_THEIR_ID = ("x-request-id", "request-id")
THEIR_ID = b"x-gatewayz-provider-request-id"
"""The provider's own id of the request, for a question to its support: under its usual name ours goes to the caller."""

ANTHROPIC_VERSION = ("anthropic-version", "2023-06-01")


class _Headers(tuple[tuple[str, str], ...]):
    """Header pairs, of which one holds a key: they do not show themselves either."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} headers>"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider, ready to be called."""

    name: str
    """The key of its catalogue entry, and the word before the slash in a caller's model name."""
    otel_name: str
    """``gen_ai.provider.name``."""
    base_url: str
    upstream: Upstream = field(repr=False)
    stream_timeouts: Timeouts
    unary_timeouts: Timeouts
    key_variables: tuple[str, ...] = ()
    keys: KeyPool = field(default_factory=KeyPool, repr=False, compare=False)
    models: tuple[str, ...] = ()
    model_prefixes: tuple[str, ...] = ()
    """Plain model names that begin so are this provider's."""
    propagate: bool = False
    """Send our trace context along."""
    usage_option: bool = True
    """Knows ``stream_options.include_usage``; one that does not reports usage unasked."""
    wires: tuple[Wire, ...] = ("openai_chat",)
    """The APIs that it speaks, best first."""
    embeddings: bool = False
    auth: Auth = "bearer"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Further headers of every request; an operator may have put a secret into one."""
    max_tokens_name: MaxTokensName = "max_tokens"
    """How a chat request says how much may be generated."""
    reasoning_back: ReasoningBack | None = None
    """How a chat request that came on another wire carries an earlier turn's reasoning."""
    wire_urls: Mapping[Wire, str] = field(default_factory=dict[Wire, str])
    """Where a wire is served that is not under ``base_url``."""
    max_concurrency: int | None = None
    """Calls at once, per worker; ``None``: as the settings say."""
    list_models: bool = False
    server_address: str = field(init=False)
    server_port: int = field(init=False)
    _root: str = field(init=False, repr=False)
    _roots: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _lacking: set[tuple[Wire, str | None]] = field(
        init=False, repr=False, compare=False, default_factory=set[tuple[Wire, str | None]]
    )
    _common: _Headers = field(init=False, repr=False, compare=False)
    _by_key: dict[Secret | None, _Headers] = field(init=False, repr=False, compare=False)
    _catalogued: frozenset[str] = field(init=False, repr=False, compare=False)
    _learned: set[str] = field(init=False, repr=False, compare=False, default_factory=set[str])
    _listed: dict[str, None] = field(init=False, repr=False, compare=False, default_factory=dict[str, None])

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        place = object.__setattr__
        place(self, "server_address", parts.hostname or self.name)
        place(self, "server_port", parts.port or (80 if parts.scheme == "http" else 443))
        place(self, "_root", self.base_url.rstrip("/"))
        place(self, "_roots", {wire: url.rstrip("/") for wire, url in self.wire_urls.items()})
        place(self, "_catalogued", frozenset(self.models))
        own = {name.lower() for name, _ in self.headers}
        common = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            # Compression would have to be undone to be observed, and saves nothing on a stream of small events.
            ("accept-encoding", "identity"),
            ("user-agent", f"gatewayz/{__version__}"),
        ]
        if "anthropic_messages" in self.wires:
            common.append(ANTHROPIC_VERSION)  # without one a strict server refuses whatever it is asked
        place(self, "_common", _Headers((*(pair for pair in common if pair[0] not in own), *self.headers)))
        # Made once: UpstreamRequests with the very same tuple share their parsed form.
        by_key: dict[Secret | None, _Headers] = {None: self._common}
        for key in self.keys.secrets:
            by_key[key] = _Headers((*self._common, _credential(self.auth, key)))
        place(self, "_by_key", by_key)

    @property
    def wire(self) -> Wire:
        """The wire that it speaks best."""
        return self.wires[0]

    def timeouts(self, stream: bool) -> Timeouts:
        return self.stream_timeouts if stream else self.unary_timeouts

    def take_key(self, model: str, now_s: float) -> Secret | None:
        """The key for a call of ``model`` (``now_s`` is monotonic); None where none is needed.

        Raises ProviderRateLimited, with the time to wait, while the provider has asked to be left alone with every key.
        """
        key = self.keys.take(model, now_s)
        if key is None and len(self.keys):
            raise ProviderRateLimited(
                f"The rate limit of {self.name} was reached with every key.", retry_after_s=self.wait_s(model, now_s)
            )
        return key

    def wait_s(self, model: str, now_s: float) -> float:
        """Seconds until some key may be used for ``model``; 0: now."""
        return self.keys.wait_s(model, now_s)

    def request(
        self,
        path: str,
        body: bytes,
        stream: bool,
        *,
        wire: str | None = None,
        forwarded: tuple[tuple[str, str], ...] = (),
        key: Secret | None = None,
        traceparent: bytes | None = None,
        total_s: float | None = None,
        on_sent: Callable[[], None] | None = None,
    ) -> UpstreamRequest:
        """The request for one attempt, on ``wire`` where that lives elsewhere. ``forwarded``: of the caller's headers those that
        go on; ``traceparent`` only where the entry says ``propagate``; ``total_s`` shortens the attempt, it never lengthens
        it."""
        headers = self._by_key[key]
        if forwarded:
            headers = _with_forwarded(headers, forwarded)
        if self.propagate and traceparent is not None:
            headers = _Headers((*headers, ("traceparent", traceparent.decode("ascii"))))
        timeouts = self.timeouts(stream)
        if total_s is not None and total_s < timeouts.total_s:
            timeouts = Timeouts(timeouts.connect_s, timeouts.first_byte_s, timeouts.idle_s, total_s)
        root = self._roots.get(wire, self._root) if wire is not None and self._roots else self._root
        return UpstreamRequest(
            url=root + path, headers=headers, body=body, timeouts=timeouts, stream=stream, on_sent=on_sent
        )

    def refused(self, key: Secret | None, model: str, status: int, retry_after_s: float | None, now_s: float) -> None:
        """The provider answered with an error ``status``: decides what becomes of the key."""
        if key is not None:
            self.keys.failed(key, model, status, retry_after_s, now_s)

    @property
    def secrets(self) -> list[str]:
        """What must be struck from anything that the provider says."""
        return [key.reveal() for key in self.keys.secrets]

    def serves(self, model: str) -> bool:
        """Whether a plain model name is this provider's."""
        return model in self._catalogued or model in self._listed or model.startswith(self.model_prefixes)

    def all_models(self) -> Iterator[str]:
        """The models of the catalogue and the configuration, then those that the provider itself has named."""
        yield from self.models
        yield from (model for model in self._listed if model not in self._catalogued)

    def set_listed(self, models: Iterable[str]) -> bool:
        """The provider's own list, cut at MAX_LISTED. Says whether it is another than before."""
        listed: dict[str, None] = {}
        for model in models:
            if len(listed) == MAX_LISTED:
                break
            listed[model] = None
        changed = listed.keys() != self._listed.keys()
        self._listed.clear()
        self._listed.update(listed)
        return changed

    def known_model(self, model: str) -> str:
        """The model as metrics may name it: from the catalogue, or learned; else ``other``."""
        return model if model in self._catalogued or model in self._learned else OTHER

    def learn(self, model: str) -> None:
        """This provider has answered for ``model``: from now on metrics name it, while there is room."""
        if model not in self._catalogued and len(self._learned) < MAX_LEARNED:
            self._learned.add(model)

    def lacks(self, wire: Wire, model: str) -> bool:
        """Whether ``wire``, though it is listed, turned out not to be served, for this model or at all."""
        lacking = self._lacking
        return bool(lacking) and ((wire, model) in lacking or (wire, None) in lacking)

    def learn_lack(self, wire: Wire, model: str | None) -> None:
        """The endpoint of ``wire`` is not there (for ``model`` at least, None: for any): until the next reload, the provider's
        first wire is used instead."""
        if len(self._lacking) < MAX_LACKING:
            self._lacking.add((wire, model))

    def is_at(self, other: Provider) -> bool:
        """Whether both stand for the same address."""
        return self._root == other._root

    def is_account_of(self, before: Provider) -> bool:
        """Whether calls go where they went before a reload, on the same keys: what is known of the routes then still holds."""
        return self.is_at(before) and sorted(self.secrets) == sorted(before.secrets)

    def adopt(self, before: Provider) -> None:
        """Takes over what was learned about the same provider before a reload: models, and which keys rest."""
        self._learned.update(before._learned)
        if self.is_at(before):
            self._listed.update(before._listed)
            self.keys.adopt(before.keys)


def _credential(auth: Auth, key: Secret) -> tuple[str, str]:
    match auth:
        case "bearer":
            return ("authorization", f"Bearer {key.reveal()}")
        case "x-api-key" | "x-goog-api-key":
            return (auth, key.reveal())


def _with_forwarded(headers: _Headers, forwarded: tuple[tuple[str, str], ...]) -> _Headers:
    """The caller's version in the place of ours; of a list (``…-beta``) the operator's words and the caller's."""
    ours = dict(headers)
    merged = dict(ours)
    for name, value in forwarded:
        merged[name] = f"{ours[name]},{value}" if name in ours and name.endswith("-beta") else value
    return headers if merged == ours else _Headers(merged.items())


def returned_headers(headers: Mapping[str, str]) -> Iterator[tuple[bytes, bytes]]:
    """Those of a provider's headers that the caller may see: content type, what says how much is left and when to come back, how
    long the provider took, and its id of the request. Cookies and the names of our own organisation and account stay here."""
    for name, value in headers.items():
        if (returned := _returned_name(name)) is not None:
            yield returned, value.encode("latin-1", "replace")


@lru_cache(maxsize=512)  # providers send the same names with every answer
def _returned_name(name: str) -> bytes | None:
    lower = name.lower()
    if lower in _THEIR_ID:
        return THEIR_ID
    return lower.encode("ascii", "replace") if lower in _RETURNED or lower.startswith(_RETURNED_PREFIXES) else None


class Providers(Mapping[str, Provider]):
    """The providers that can be called, in the order of the catalogue; and why the others cannot.

    A reload replaces what is in here, all at once; whoever holds a Provider finishes with the one he has.
    """

    def __init__(
        self,
        available: Mapping[str, Provider],
        unavailable: Mapping[str, str] | None = None,
        groups: Mapping[str, ModelGroup] | None = None,
    ) -> None:
        self._available = dict(available)
        self.unavailable: Mapping[str, str] = dict(unavailable or {})
        """Name → what is missing, in a word for span events (``no_key``, ``not_configured``, ``disabled``)."""
        self.groups: Mapping[str, ModelGroup] = dict(groups or {})
        """The operator's own names for models: aliases and groups."""
        self.generation = 0
        """Another number whenever anything in here has changed, for those who derive something from it."""
        self.when_gone: Callable[[Collection[str]], None] | None = None
        """Told by a reload the names of providers that it has removed, or given another address or other keys."""
        self._opened = {id(provider.upstream): provider.upstream for provider in self.values()}

    def __getitem__(self, name: str) -> Provider:
        return self._available[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._available)

    def __len__(self) -> int:
        return len(self._available)

    def replace(self, after: Providers) -> None:
        """What ``after`` holds from now on; what is known of providers that are in both is kept."""
        gone: list[str] = []
        for name, before in self._available.items():
            provider = after.get(name)
            if provider is None or not provider.is_account_of(before):
                gone.append(name)
            if provider is not None:
                provider.adopt(before)
        self._opened.update(after._opened)
        self._available, self.unavailable, self.groups = after._available, after.unavailable, after.groups
        self.changed()
        if gone and self.when_gone is not None:
            self.when_gone(gone)

    def changed(self) -> None:
        """Something about a provider that is in here has changed."""
        self.generation += 1

    def availability(self) -> Iterator[tuple[float, Mapping[str, str]]]:
        """Observations of ``gatewayz.provider.available``: 1 for a provider that can be called, 0 for one that is known."""
        available, unavailable = self._available, self.unavailable
        for name in available:
            yield 1.0, {"gatewayz.provider.name": name}
        for name in unavailable:
            yield 0.0, {"gatewayz.provider.name": name}

    async def close(self) -> None:
        for upstream in self._opened.values():
            await upstream.close()
