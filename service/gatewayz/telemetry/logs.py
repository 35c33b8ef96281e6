"""Log records become JSON lines: one event, one line, the same line on stdout and in OTLP.

Two ways in: a handler of the standard library's logging, for all code; and ``RequestLog``, for the record in which every
request ends, which is made too often to take the long way. Levels are lower case; times RFC 3339 in UTC.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Protocol

import orjson
from opentelemetry.trace import SpanContext, get_current_span

from gatewayz.telemetry.delivery.encode import LogItem
from gatewayz.telemetry.redact import cut, error_message, redact_line

request_id: ContextVar[str | None] = ContextVar("gatewayz_request_id", default=None)
"""The id of the request that the current task serves."""

MESSAGE_LIMIT: Final = 8192
FIELD_LIMIT: Final = 2048
FRAMES: Final = 40
CAUSES: Final = 4

KEPT_FROM_OTLP: Final = ("opentelemetry", "grpc", "urllib3", "gatewayz.telemetry")
"""Loggers of delivery itself: on stdout only, or a Collector that is away would feed its own queue."""

_SEVERITIES: Final = {
    logging.DEBUG: ("debug", 5, "DEBUG"),
    logging.INFO: ("info", 9, "INFO"),
    logging.WARNING: ("warning", 13, "WARNING"),
    logging.ERROR: ("error", 17, "ERROR"),
    logging.CRITICAL: ("critical", 21, "CRITICAL"),
}

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
"""What every LogRecord has (and uvicorn's coloured twin of its message); the rest came as ``extra``."""


class LogSink(Protocol):
    """Where OTLP log records go."""

    def put(self, item: LogItem, size: int, /) -> None: ...


class Clock:
    """RFC 3339 with microseconds; the part up to the second is made once a second."""

    __slots__ = ("_prefix", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._prefix = ""

    def rfc3339(self, time_ns: int) -> str:
        second, rest = divmod(time_ns, 1_000_000_000)
        if second != self._second:
            # Two assignments, not atomic: a thread in between may use a prefix of the neighbouring second's, so the
            # prefix is used from a local name.
            prefix = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
            self._prefix, self._second = prefix, second
        else:
            prefix = self._prefix
        return f"{prefix}{rest // 1000:06d}Z"


class Lines:
    """Both sinks of a finished line. ``otlp`` is None where no receiver is configured."""

    def __init__(self, stdout: Callable[[bytes], None], otlp: LogSink | None) -> None:
        self._stdout = stdout
        self._otlp = otlp

    def write(self, line: bytes, time_ns: int, severity: int, logger: str, span: SpanContext | None) -> None:
        """``line`` is free of secrets; ``severity`` is a level of ``logging``."""
        self._stdout(line)
        if self._otlp is None or logger.startswith(KEPT_FROM_OTLP):
            return
        level, number, text = _SEVERITIES.get(severity) or _nearest(severity)
        trace_id, span_id = (span.trace_id, span.span_id) if span is not None else (0, 0)
        self._otlp.put(LogItem(time_ns, number, text, level, logger, line, trace_id, span_id), len(line) + 400)


class RequestLog:
    """The fast path for the records of requests: no LogRecord, no handlers, one dictionary."""

    def __init__(self, lines: Lines, level: int) -> None:
        self._lines = lines
        self._level = level
        self._clock = Clock()

    def write(
        self,
        level: int,
        message: str,
        logger: str,
        span: SpanContext,
        ids: tuple[str, str],
        request: str,
        fields: Mapping[str, Any],
    ) -> None:
        """``ids`` are the span's, in hex; ``fields`` hold only what has a value, and no text from outside that was not
        cleaned: the search through the whole line is spared here."""
        if level < self._level:
            return
        now_ns = time.time_ns()
        record: dict[str, Any] = {
            "timestamp": self._clock.rfc3339(now_ns),
            "level": _SEVERITIES[level][0],
            "message": message,
            "logger": logger,
            "trace_id": ids[0],
            "span_id": ids[1],
            "request_id": request,
        }
        record.update(fields)
        self._lines.write(_dumps(record), now_ns, level, logger, span)


class JsonHandler(logging.Handler):
    """The standard library's way in; never raises, never waits."""

    def __init__(self, lines: Lines, level: int) -> None:
        super().__init__(level)
        self._lines = lines
        self._clock = Clock()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            now_ns = int(record.created * 1e9)
            span = get_current_span().get_span_context()
            context = span if span.is_valid else None
            line = redact_line(_dumps(self._fields(record, now_ns, context)))
            self._lines.write(line, now_ns, record.levelno, record.name, context)
        except Exception:  # noqa: BLE001 - logging must not fail what it reports on
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Log that a record could not be written, without the record: it may be what cannot be written."""
        now_ns = time.time_ns()
        fields = {
            "timestamp": self._clock.rfc3339(now_ns),
            "level": "error",
            "message": "a log record could not be written",
            "logger": record.name,
        }
        self._lines.write(_dumps(fields), now_ns, logging.ERROR, record.name, None)

    def _fields(self, record: logging.LogRecord, now_ns: int, span: SpanContext | None) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "timestamp": self._clock.rfc3339(now_ns),
            "level": (_SEVERITIES.get(record.levelno) or _nearest(record.levelno))[0],
            "message": cut(record.getMessage(), MESSAGE_LIMIT),
            "logger": record.name,
        }
        if span is not None:
            fields["trace_id"] = f"{span.trace_id:032x}"
            fields["span_id"] = f"{span.span_id:016x}"
        request = request_id.get()
        if request is not None:
            fields["request_id"] = request
        for name, value in record.__dict__.items():
            if name not in _STANDARD and name not in fields and value is not None:
                fields[name] = cut(value, FIELD_LIMIT) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = exception_fields(record.exc_info[1])
        return fields


def exception_fields(error: BaseException) -> dict[str, Any]:
    """Type, shortened message and stack, with causes. The message loses its quoted parts: drivers and clients quote what
    they were given, and that may be a prompt or a key. Stack entries are places in the code, without values."""
    first: dict[str, Any] = {}
    into = first
    for number, cause in enumerate(_chain(error)):
        if number:
            into["cause"] = into = {}
        kind = type(cause)
        into["type"] = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        text = error_message(str(cause))
        if text:
            into["message"] = text
        into["stack"] = _stack(cause.__traceback__)
    return first


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(CAUSES):
        if current is None:
            return
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _stack(trace: TracebackType | None) -> list[str]:
    frames = list(traceback.walk_tb(trace))[-FRAMES:]
    return [f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_qualname}" for frame, line in frames]


def _nearest(level: int) -> tuple[str, int, str]:
    """The standard level nearest to a custom one."""
    return _SEVERITIES[max((known for known in _SEVERITIES if known <= level), default=logging.DEBUG)]


def _dumps(fields: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(fields, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # Lone surrogates, huge integers, cycles: whatever it is, its printed form will do.
        return orjson.dumps({str(name): _printable(value) for name, value in fields.items()})


def _plain(value: object) -> str:
    return cut(repr(value), FIELD_LIMIT)


def _printable(value: object) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 1 << 53):
        return value
    text = value if isinstance(value, str) else repr(value)
    return cut(text.encode(errors="replace").decode(), FIELD_LIMIT)
