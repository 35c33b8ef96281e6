"""Shows the findings: one line per hop as soon as it is known, or all of them as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from gatewayz.doctor.hops import Finding, HopState

MARKS: dict[HopState, tuple[str, str, str]] = {
    "ok": ("✓", "ok", "green"),
    "failed": ("✗", "FAILED", "red"),
    "unknown": ("–", "unknown", "yellow"),
    "left out": ("○", "left out", "bright_black"),
}
"""Per state: the mark, what stands for it where the terminal cannot show it, and its colour."""


class Report:
    """What the user sees. Without a terminal it is plain text, without colours, motion or line breaks of its own."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._shows_marks = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")

    def say(self, line: str) -> None:
        if not self._as_json:
            self._console.print(Text(line))

    @contextmanager
    def looking_at(self, hop: str) -> Generator[None]:
        if self._as_json or not self._console.is_terminal:
            yield
            return
        with self._console.status(f"{hop} …"):
            yield

    def show(self, finding: Finding) -> None:
        mark, word, colour = MARKS[finding.state]
        line = Text.assemble(
            (mark if self._shows_marks else word, colour),
            f" {finding.hop:<24} {_duration(finding.took_s):>8}  {finding.text}",
        )
        if not self._as_json:
            self._console.print(line)

    def finish(self, findings: Sequence[Finding], trace_id: str | None, request_id: str | None) -> bool:
        """Print the verdict; True when every hop was seen to work, but for those that the stack left out."""
        left_out = [finding.hop for finding in findings if finding.state == "left out"]
        healthy = all(finding.state in ("ok", "left out") for finding in findings)
        if self._as_json:
            hops = [
                {"hop": one.hop, "state": one.state, "took_s": round(one.took_s, 3), "text": one.text}
                for one in findings
            ]
            document = {"ok": healthy, "trace_id": trace_id, "request_id": request_id, "hops": hops}
            sys.stdout.write(json.dumps(document, ensure_ascii=not self._shows_marks) + "\n")
            return healthy
        broken = [finding.hop for finding in findings if finding.state == "failed"]
        if healthy:
            rest = f"; left out: {', '.join(left_out)}" if left_out else ""
            self.say(f"All {len(findings) - len(left_out)} hops work{rest}.")
        elif broken:
            self.say(f"Broken: {', '.join(broken)}.")
        else:
            self.say("Not everything could be judged.")
        return healthy


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
