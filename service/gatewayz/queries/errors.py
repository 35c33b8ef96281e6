"""Every way in which a question to a store can fail.

    QueryError                  one sentence: which address, and what to do
    ├── LeftOut                 the running stack has no such store, by choice
    ├── BadAddress              what was given is no address of such a store
    ├── BadQuestion             the question itself is wrong: an id that is none, a value that the store refuses
    ├── Unreachable             nothing answers there
    │   ├── ConnectionBroken    it breaks the connection (temporary)
    │   └── TooSlow             it does not answer within the deadline (temporary)
    ├── NotReady                it answers 429 or 5xx (temporary)
    ├── Denied                  it asks for credentials
    ├── WrongStore              what answers there is something else
    └── TooLarge                the answer is larger than we are willing to hold

No message holds the password of an address.
"""

from __future__ import annotations

from typing import ClassVar


class QueryError(Exception):
    """A question could not be answered. The message is one sentence for a person."""

    temporary: ClassVar[bool] = False
    """Whether the same question may be answered later without any change."""


class LeftOut(QueryError):
    pass


class BadAddress(QueryError):
    pass


class BadQuestion(QueryError):
    pass


class Unreachable(QueryError):
    pass


class ConnectionBroken(Unreachable):
    temporary = True


class TooSlow(Unreachable):
    temporary = True


class NotReady(QueryError):
    temporary = True


class Denied(QueryError):
    pass


class WrongStore(QueryError):
    pass


class TooLarge(QueryError):
    pass
