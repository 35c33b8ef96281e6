"""One provider as it is configured: where it is, how it is shown who we are, how requests to it are made.

Nothing in here changes once it is made. What is learned about a provider is in its ProviderState (state.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from gatewayz import __version__
from gatewayz.configfile.schema import MaxTokensName, ReasoningBack, Wire
from gatewayz.providers.auth import Auth, SecretHeaders, StaticKey, proven
from gatewayz.providers.forwarded_headers import merged
from gatewayz.providers.keypool import Secret
from gatewayz.records import Record
from gatewayz.upstream import Headers, Timeouts, Upstream, UpstreamRequest, UpstreamResponse
from gatewayz.wires.translate import PROVIDER_WIRES


@dataclass(frozen=True, slots=True)
class Address:
    """Where a provider is served."""

    base_url: str
    """Without a slash at its end."""
    host: str
    port: int
    wire_urls: Mapping[str, str]
    """Where those wires are served that are not under ``base_url``."""

    @classmethod
    def of(cls, base_url: str, wire_urls: Mapping[Wire, str] | None = None) -> Address:
        parts = urlsplit(base_url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
        elsewhere = {wire: url.rstrip("/") for wire, url in (wire_urls or {}).items()}
        return cls(base_url.rstrip("/"), parts.hostname or "", port, elsewhere)

    def url(self, wire: str | None, path: str) -> str:
        return (self.wire_urls.get(wire, self.base_url) if wire is not None else self.base_url) + path


class Payload(Record, frozen=True):
    """What is sent to a provider, whichever of its keys goes along."""

    path: str
    """What the wire appends to the base address."""
    body: bytes
    stream: bool
    """Whether a stream is to come back."""
    wire: str | None = None
    forwarded: Headers = ()
    """The caller's headers that go on (forwarded_headers.py)."""
    method: Literal["POST", "GET"] = "POST"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider, ready to be called."""

    name: str
    """The key of its catalogue entry, and the word before the slash in a caller's model name."""
    otel_name: str
    """``gen_ai.provider.name``."""
    address: Address
    upstream: Upstream = field(repr=False)
    stream_timeouts: Timeouts
    unary_timeouts: Timeouts
    headers: Headers = field(repr=False)
    """What every request carries, the credentials aside; an operator may have put a secret into one."""
    auth: StaticKey | Auth = field(repr=False)
    keys: tuple[Secret, ...] = ()
    key_variables: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    model_prefixes: tuple[str, ...] = ()
    """Plain model names that begin so are this provider's."""
    wires: tuple[Wire, ...] = ("openai_chat",)
    """The APIs that it speaks, best first."""
    embeddings: bool = False
    usage_option: bool = True
    """Knows ``stream_options.include_usage``; one that does not reports usage unasked."""
    max_tokens_name: MaxTokensName = "max_tokens"
    """The member of a chat request that limits how much may be generated."""
    reasoning_back: ReasoningBack | None = None
    """How a chat request that came on another wire carries an earlier turn's reasoning."""
    propagate: bool = False
    """Send our trace context along."""
    max_concurrency: int | None = None
    """Calls at once, per worker; ``None``: as the settings say."""
    list_models: bool = False

    @property
    def wire(self) -> Wire:
        """The wire that it speaks best."""
        return self.wires[0]

    @property
    def secrets(self) -> list[str]:
        """What must be struck from anything that the provider says."""
        return [key.reveal() for key in self.keys]

    def timeouts(self, stream: bool, *, total_s: float | None = None, first_byte_s: float | None = None) -> Timeouts:
        """The configured ones, the very same object unless a caller's limit is shorter; none is ever lengthened."""
        own = self.stream_timeouts if stream else self.unary_timeouts
        shorter_total = total_s is not None and total_s < own.total_s
        shorter_first = first_byte_s is not None and first_byte_s < own.first_byte_s
        if not shorter_total and not shorter_first:
            return own
        return Timeouts(
            own.connect_s,
            first_byte_s if first_byte_s is not None and shorter_first else own.first_byte_s,
            own.idle_s,
            total_s if total_s is not None and shorter_total else own.total_s,
        )

    def request(
        self,
        payload: Payload,
        timeouts: Timeouts,
        key: Secret | None = None,
        *,
        traceparent: bytes | None = None,
        on_sent: Callable[[], None] | None = None,
    ) -> UpstreamRequest:
        """The request for one attempt, to be given to ``send``. ``traceparent`` goes along only where the entry says
        ``propagate``; ``on_sent`` is called as soon as the request is on its way."""
        auth = self.auth
        headers = auth.headers[key] if isinstance(auth, StaticKey) else self.headers
        if payload.forwarded and (changed := merged(headers, payload.forwarded)) is not None:
            headers = SecretHeaders(changed)
        changing: Headers = ()
        if self.propagate and traceparent is not None:
            changing = (("traceparent", traceparent.decode("ascii")),)
        return UpstreamRequest(
            self.address.url(payload.wire, payload.path),
            headers,
            payload.body,
            timeouts,
            payload.stream,
            payload.method,
            on_sent,
            changing,
        )

    def send(self, request: UpstreamRequest) -> Awaitable[UpstreamResponse]:
        """The provider's answer, once its headers are there. Raises errors of errors.py, as ``Upstream.send`` does.

        No coroutine of its own: a request with a static key is the HTTP client's affair alone.
        """
        if isinstance(self.auth, StaticKey):
            return self.upstream.send(request)
        return self._send_proven(request, self.auth)

    async def _send_proven(self, request: UpstreamRequest, auth: Auth) -> UpstreamResponse:
        return await self.upstream.send(await proven(request, auth))

    def is_at_address_of(self, other: Provider) -> bool:
        return self.address.base_url == other.address.base_url

    def is_account_of(self, before: Provider) -> bool:
        """Whether calls go where they went before a reload, on the same keys: what is known of the targets then still holds."""
        return self.is_at_address_of(before) and sorted(self.secrets) == sorted(before.secrets)


def common_headers(wires: tuple[Wire, ...], configured: Headers) -> Headers:
    """What every request to a provider of these wires carries; what the operator has ``configured`` comes first."""
    ours = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        # Compression would have to be undone to be observed, and saves nothing on a stream of small events.
        ("accept-encoding", "identity"),
        ("user-agent", f"gatewayz/{__version__}"),
    ]
    for wire in wires:
        ours += PROVIDER_WIRES[wire].http.headers
    names = {name for name, _ in configured}
    return SecretHeaders((*[pair for pair in ours if pair[0] not in names], *configured))
