"""The terminal's two voices."""

from __future__ import annotations

import io

from rich.console import Console

from gatewayz.stack.console import PlainView, TerminalView, print_table
from gatewayz.stack.view import Progress, Row

ROW = Row("loki", "ready", "http://127.0.0.1:3100", "3.5.0", "cache")


def test_log_file_gets_one_line_per_phase() -> None:
    lines: list[str] = []
    view = PlainView(lines.append)
    for done in range(100):
        view.progress(Progress("tempo", "building", "compiling", done, 100))
    view.progress(Progress("tempo", "ready", "ready after 1.0 s"))
    view.note("A sentence.", ["its reason"])
    assert [line[10:] for line in lines[:2]] == [
        "tempo          compiling (0 of 100 packages)\n",
        "tempo          ready after 1.0 s\n",
    ]
    assert lines[2] == "A sentence.\n    its reason\n"


def test_terminal_keeps_notes_and_clears_its_moving_lines() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    view = TerminalView(console)
    view.progress(Progress("tempo", "building", "compiling", 3, 100))
    view.note("Not [markup] but text.")
    view.progress(Progress("tempo", "ready", "ready after 1.0 s"))
    view.settled()
    view.settled()
    before = len(screen.getvalue())
    view.progress(Progress("tempo", "stopped"))
    assert screen.getvalue()[before:] == "tempo           stopped\n"
    assert "compiling (3 of 100 packages)" in screen.getvalue()
    assert "Not [markup] but text." in screen.getvalue()


def test_table_is_aligned_text_without_control_codes_where_there_is_no_terminal() -> None:
    screen = io.StringIO()
    print_table([ROW], Console(file=screen, width=40))
    assert screen.getvalue() == (
        "part  state  URL                    version  found\nloki  ready  http://127.0.0.1:3100  3.5.0    cache\n"
    )


def test_table_on_a_terminal_holds_the_same() -> None:
    screen = io.StringIO()
    print_table([ROW], Console(file=screen, force_terminal=True, width=100))
    for word in ("loki", "ready", "http://127.0.0.1:3100", "3.5.0", "cache"):
        assert word in screen.getvalue()
