"""Shows a trace as a tree, and its log lines under it. No text of a store is read as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from gatewayz.queries.logs import LogLine
from gatewayz.queries.trace_tree import Branch, branches
from gatewayz.queries.traces import Attributes, SpanStatus, Trace
from gatewayz.trace.lookup import Lines
from gatewayz.trace.text import duration_text, value_text, visible

NAME_CELLS = 60
"""The widest name, its lines included; a longer one is cut."""
BAR_CELLS = 24
VALUE_CHARACTERS = 500
"""Of an attribute's value; `--json` has all of it."""
MESSAGE_CHARACTERS = 300

SHOWN_FIELDS = ("status", "outcome", "provider", "model", "error_type", "error_message")
"""Of a log line, without --attributes."""
FIELDS_SAID_ALREADY = frozenset({"message", "level", "timestamp", "trace_id", "span_id"})

COLOURS: dict[SpanStatus, str] = {"unset": "cyan", "ok": "green", "error": "red"}
LEVELS = {"error": "red", "critical": "bold red", "warning": "yellow"}


class Screen:
    """Where it is printed. ``fancy``: the terminal can show lines and bars that ASCII does not have."""

    def __init__(self, console: Console, *, fancy: bool, attributes: bool) -> None:
        self._console = console
        self._fancy = fancy
        self._attributes = attributes
        self._pipe, self._tee, self._corner, self._dash = (
            ("│  ", "├─ ", "└─ ", "·") if fancy else ("|  ", "|- ", "`- ", "-")
        )

    def trace(self, trace: Trace, store: str) -> None:
        tree = branches(trace)
        length_ns = trace.end_ns - trace.start_ns
        began = datetime.fromtimestamp(trace.start_ns / 1e9, UTC).isoformat(sep=" ", timespec="milliseconds")
        facts = (
            f"in {store}",
            f"{len(tree)} {'span' if len(tree) == 1 else 'spans'}",
            duration_text(length_ns),
            began.replace("+00:00", " UTC"),
        )
        self._print(
            Text.assemble((f"Trace {trace.trace_id}", "bold"), f" {self._dash} " + f" {self._dash} ".join(facts))
        )
        width = min(NAME_CELLS, max(cell_len(self._label(branch)) for branch in tree))
        self._print(Text(f"{'':<{width}}  {'kind':<8}  {'begins':>8}  {'takes':>8}", style="dim"))
        service = tree[0].span.service
        for branch in tree:
            self._branch(branch, trace, width, service)

    def lines(self, found: Lines, trace: Trace) -> None:
        self._print(Text())
        if found.trouble is not None:
            self._print(Text(f"Log lines: {visible(found.trouble)}", style="yellow"))
            return
        if not found.lines:
            self._print(Text(f"{found.store} has no log line of this trace.", style="dim"))
            return
        count = len(found.lines)
        self._print(Text(f"{count} log {'line' if count == 1 else 'lines'} in {found.store}", style="bold"))
        width = max(len(line.level) for line in found.lines)
        for line in found.lines:
            self._line(line, trace, width)

    def say(self, sentence: str, style: str = "") -> None:
        self._print(Text(visible(sentence), style=style))

    # --- Spans

    def _branch(self, branch: Branch, trace: Trace, width: int, service: str) -> None:
        span = branch.span
        offset_ns = span.start_ns - trace.start_ns
        colour = COLOURS[span.status]
        self._print(
            Text.assemble(
                (set_cell_size(self._label(branch), width), "red" if span.status == "error" else ""),
                (f"  {span.kind:<8}", "dim"),
                f"  {duration_text(offset_ns):>8}  {duration_text(span.duration_ns):>8}  ",
                (self._bar(offset_ns, span.duration_ns, trace.end_ns - trace.start_ns), colour),
                *self._remarks(branch, service),
            )
        )
        under = self._under(branch)
        if self._attributes:
            self._pairs(under, span.attributes)
            if branch.depth == 0:
                self._pairs(under, span.resource, mark="resource ")
        for event in span.events:
            when = duration_text(event.time_ns - span.start_ns)
            self._print(
                Text.assemble(under, (f"{self._dash} +{when} {visible(event.name, MESSAGE_CHARACTERS)}", "yellow"))
            )
            if self._attributes:
                self._pairs(under + "    ", event.attributes)

    def _remarks(self, branch: Branch, service: str) -> Iterable[tuple[str, str]]:
        span = branch.span
        if span.status == "error":
            said = f": {visible(span.status_message, MESSAGE_CHARACTERS)}" if span.status_message else ""
            yield f"  error{said}", "red"
        if span.service != service:
            yield f"  of {visible(span.service, MESSAGE_CHARACTERS)}", "dim"
        if branch.orphan:
            yield f"  under {span.parent_id}, which is not here", "dim"
        for link in span.links:
            yield f"  linked to trace {link.trace_id}", "dim"

    def _label(self, branch: Branch) -> str:
        if branch.depth == 0:
            return visible(branch.span.name)
        *above, last = branch.last_of[1:]
        lines = "".join("   " if done else self._pipe for done in above)
        return lines + (self._corner if last else self._tee) + visible(branch.span.name)

    def _under(self, branch: Branch) -> str:
        """What stands before a line that belongs to a span."""
        return "".join("   " if done else self._pipe for done in branch.last_of[1:]) + "    "

    def _bar(self, offset_ns: int, duration_ns: int, length_ns: int) -> str:
        """Where in the trace's time the span lies; at least one cell."""
        if length_ns <= 0:
            return ""
        begin = min(BAR_CELLS - 1, max(0, round(BAR_CELLS * offset_ns / length_ns)))
        cells = max(1, min(BAR_CELLS - begin, round(BAR_CELLS * duration_ns / length_ns)))
        return (" " * begin + ("━" if self._fancy else "=") * cells).ljust(BAR_CELLS)

    def _pairs(self, under: str, attributes: Attributes, mark: str = "") -> None:
        for name, value in sorted(attributes.items()):
            text = visible(value_text(value), VALUE_CHARACTERS)
            self._print(Text.assemble(under, (f"{mark}{visible(name, MESSAGE_CHARACTERS)} = ", "dim"), text))

    # --- Log lines

    def _line(self, line: LogLine, trace: Trace, width: int) -> None:
        names: Sequence[str] = SHOWN_FIELDS
        if self._attributes:
            names = sorted(line.fields.keys() - FIELDS_SAID_ALREADY)
        fields = [
            (f"  {visible(name, MESSAGE_CHARACTERS)}={visible(line.fields[name], VALUE_CHARACTERS)}", "dim")
            for name in names
            if name in line.fields
        ]
        self._print(
            Text.assemble(
                f"  {duration_text(line.time_ns - trace.start_ns):>8}  ",
                (f"{visible(line.level):<{width}}", LEVELS.get(line.level, "")),
                f"  {visible(line.message, MESSAGE_CHARACTERS)}",
                *(fields if line.is_json else ()),
            )
        )

    def _print(self, text: Text) -> None:
        if not self._fancy:  # what the terminal cannot write is spelled out, too
            text = Text(text.plain.replace("µs", "us").encode("ascii", "backslashreplace").decode())
        # As it is: no markup, no colours of its own, no breaks but the terminal's.
        self._console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)
