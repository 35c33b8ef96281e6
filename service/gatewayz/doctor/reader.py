"""Reads from one part of the stack, and says in one sentence why that did not work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import requests

from gatewayz.doctor.hops import Broken, NotYet

Decoded = TypeVar("Decoded")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the stack as it is addressed: ``option`` is what a user would type to correct the address."""

    name: str
    url: str
    option: str


@dataclass(frozen=True, slots=True)
class Reader:
    """HTTP GET against one part. Every failure becomes Broken (waiting is useless) or NotYet (it may still come)."""

    part: Part
    session: requests.Session
    timeout_s: float

    def bytes(self, path: str, parameters: Mapping[str, str] | None = None) -> bytes | None:
        """The body of the answer, or None for 404."""
        part = self.part
        try:
            answer = self.session.get(part.url + path, params=dict(parameters or {}), timeout=self.timeout_s)
        except requests.exceptions.RequestException as error:
            raise unreachable(part, error, self.timeout_s) from None
        match answer.status_code:
            case 200:
                return answer.content
            case 404:
                return None
            case 401 | 403:
                raise Broken(
                    f"{part.name} at {part.url} asks for credentials ({answer.status_code}): "
                    f"put them into the address, {part.option} http://user:password@host:port."
                )
            case status if status >= 500:
                raise NotYet(
                    f"{part.name} at {part.url} is up but answers {status}: its log says what it is waiting for."
                )
            case status:
                raise Broken(
                    f"{part.name} at {part.url} answers {status} to {path}: is {part.option} really the address of {part.name}?"
                )

    def json(self, path: str, parameters: Mapping[str, str], shape: type[Decoded]) -> Decoded | None:
        """The answer decoded as ``shape``, or None for 404."""
        body = self.bytes(path, parameters)
        if body is None:
            return None
        try:
            return msgspec.json.decode(body, type=shape)
        except msgspec.DecodeError:
            raise self.not_this_part() from None

    def not_this_part(self) -> Broken:
        return Broken(
            f"What answers at {self.part.url} is not {self.part.name}: give the right address with {self.part.option}."
        )


def unreachable(part: Part, error: requests.exceptions.RequestException, timeout_s: float) -> Broken | NotYet:
    """Why ``part`` could not be asked, with what to do about it."""
    match error:
        case (
            requests.exceptions.MissingSchema() | requests.exceptions.InvalidSchema() | requests.exceptions.InvalidURL()
        ):
            return Broken(
                f"{part.url!r} is no address for {part.name}: give one like http://127.0.0.1:8000 with {part.option}."
            )
        case requests.exceptions.SSLError():
            return Broken(
                f"The certificate of {part.name} at {part.url} was not accepted: "
                f"correct the name in {part.option}, or install the authority that signed it."
            )
        case requests.exceptions.Timeout():
            return NotYet(
                f"{part.name} at {part.url} does not answer within {timeout_s:.0f} s: its log says what keeps it busy."
            )
        case requests.exceptions.ConnectionError() if "resolve" in str(error) or "Name or service" in str(error):
            return Broken(
                f"The host in {part.url} is not known: correct the address of {part.name} with {part.option}."
            )
        case requests.exceptions.ConnectionError() if "refused" in str(error):
            return Broken(
                f"Nothing listens at {part.url}: start {part.name} "
                f"(`gatewayz up` starts all), or give its address with {part.option}."
            )
        case _:
            return NotYet(f"{part.name} at {part.url} breaks the connection: its log says why.")
