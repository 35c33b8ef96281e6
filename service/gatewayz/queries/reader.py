"""Reads from one part of the stack over HTTP, and reports in one sentence why that did not work."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx
import msgspec

from gatewayz.queries.addresses import without_password
from gatewayz.queries.errors import (
    BadAddress,
    BadQuestion,
    ConnectionBroken,
    Denied,
    NotReady,
    QueryError,
    TooLarge,
    TooSlow,
    Unreachable,
    WrongStore,
)

Decoded = TypeVar("Decoded")

DEADLINE_S = 10.0
"""For a whole answer, from the first byte sent to the last byte read: a person waits for it."""

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""About 20,000 spans; decoded, it takes several times that in memory, beside traffic."""

DETAIL_CHARACTERS = 200
"""How much of a store's own error text goes into ours."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the stack as it is addressed: ``setting`` is the option or variable that corrects the address."""

    name: str
    url: str
    setting: str

    @property
    def shown_url(self) -> str:
        return without_password(self.url)


@dataclass(frozen=True, slots=True)
class Answer:
    """``status`` is 200 or 404; everything else has become an error."""

    status: int
    body: bytes


def new_client() -> httpx.AsyncClient:
    """The pool of connections for a tool's questions (the gateway has its own); an asynchronous context manager.

    Proxies, netrc and the like are left aside: the parts of a stack are addressed directly.
    """
    return httpx.AsyncClient(trust_env=False, follow_redirects=False)


@dataclass(frozen=True, slots=True)
class Reader:
    """HTTP GET against one part, over a pool that its caller owns. Every failure is a QueryError."""

    part: Part
    client: httpx.AsyncClient
    deadline_s: float = DEADLINE_S
    max_bytes: int = MAX_ANSWER_BYTES

    async def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Answer:
        """What is answered, with 200 or 404. Raises QueryError."""
        try:
            # httpx' own timeouts begin anew with each piece; a store that drips must not hold us for ever.
            async with asyncio.timeout(self.deadline_s):
                return await self._exchange(path, parameters or {})
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError):
            raise self._no_address() from None
        except (httpx.TimeoutException, TimeoutError):
            raise self._too_slow() from None
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    async def json(self, path: str, parameters: Mapping[str, str], shape: type[Decoded]) -> Decoded:
        """The answer decoded as ``shape``. Raises QueryError; a 404 is one, too."""
        answer = await self.get(path, parameters)
        if answer.status == 404:
            raise self.wrong_store()
        return self.decode(answer.body, shape)

    def decode(self, body: bytes, shape: type[Decoded]) -> Decoded:
        """Raises WrongStore when ``body`` is not what this part would answer."""
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self.wrong_store() from None

    def wrong_store(self) -> WrongStore:
        part = self.part
        return WrongStore(
            f"What answers at {part.shown_url} is not {part.name}: give the right address with {part.setting}."
        )

    async def _exchange(self, path: str, parameters: Mapping[str, str]) -> Answer:
        # Uncompressed: what is counted against max_bytes is then what comes, and the stores are near.
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        url = httpx.URL(self.part.url + path)
        if (url.port or 0) > 65_535:
            raise httpx.InvalidURL("no port")  # which httpx itself leaves to the system
        async with self.client.stream(
            "GET", url, params=dict(parameters), headers=headers, timeout=self.deadline_s
        ) as response:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > self.max_bytes:
                    raise self._too_large()
        if response.status_code not in (200, 404):
            raise self._refused(response.status_code, path, bytes(body))
        return Answer(response.status_code, bytes(body))

    def _refused(self, status: int, path: str, body: bytes) -> QueryError:
        part = self.part
        detail = _detail(body)
        if status in (401, 403):
            return Denied(
                f"{part.name} at {part.shown_url} asks for credentials ({status}): "
                f"put them into the address, {part.setting} …://user:password@host:port."
            )
        if status == 429 or status >= 500:
            return NotReady(
                f"{part.name} at {part.shown_url} is up but answers {status}{detail}: its log says what it is waiting for."
            )
        if status in (400, 422):
            return BadQuestion(f"{part.name} at {part.shown_url} refuses the question to {path} ({status}){detail}.")
        return WrongStore(
            f"{part.name} at {part.shown_url} answers {status} to {path}: is {part.setting} really the address of {part.name}?"
        )

    def _no_address(self) -> BadAddress:
        part = self.part
        return BadAddress(
            f"{part.shown_url!r} is no address for {part.name}: give one like http://127.0.0.1:8000 with {part.setting}."
        )

    def _too_slow(self) -> TooSlow:
        part = self.part
        return TooSlow(
            f"{part.name} at {part.shown_url} does not answer within {self.deadline_s:g} s: its log says what keeps it busy."
        )

    def _too_large(self) -> TooLarge:
        part = self.part
        return TooLarge(
            f"{part.name} at {part.shown_url} answers with more than {self.max_bytes // 1024} KiB: "
            "ask for less, a shorter time or a smaller limit."
        )

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        part = self.part
        causes = list(_causes(error))
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            return Unreachable(
                f"The certificate of {part.name} at {part.shown_url} was not accepted: "
                f"correct the name in {part.setting}, or install the authority that signed it."
            )
        if any(isinstance(cause, socket.gaierror) for cause in causes):
            return Unreachable(
                f"The host in {part.shown_url} is not known: correct the address of {part.name} with {part.setting}."
            )
        if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
            return Unreachable(
                f"Nothing listens at {part.shown_url}: start {part.name} "
                f"(`gatewayz up` starts all), or give its address with {part.setting}."
            )
        return ConnectionBroken(f"{part.name} at {part.shown_url} breaks the connection: its log says why.")


def _causes(error: BaseException) -> Generator[BaseException]:
    """The error, and everything it came of: httpx wraps httpcore, that wraps anyio, and that one try per address."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions  # type: ignore[reportUnknownMemberType] - a group of whatever


def _detail(body: bytes) -> str:
    """The beginning of a store's own error text, fit for a sentence; empty when there is none."""
    text = " ".join(body[: 4 * DETAIL_CHARACTERS].decode(errors="replace").split())
    text = "".join(character for character in text if character.isprintable())[:DETAIL_CHARACTERS].rstrip(".")
    return f" ({text})" if text else ""
