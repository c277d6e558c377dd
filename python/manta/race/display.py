"""How a race looks while it goes on: side by side in a terminal that `rich` can draw on, as lines anywhere else."""

from __future__ import annotations

import sys
import time

from manta.race import report

_LINES_OF_OUTPUT = 6


class Silent:
    """Of --json."""

    def update(self, sides):
        pass

    def close(self, sides, stopped):
        pass


class Plain:
    """A line for each event, for each line of output, and for each side every `interval` seconds."""

    def __init__(self, interval):
        self._interval = interval
        self._next = time.monotonic() + interval
        self._told = {}     # side: what has been told of it
        self._printed = {}  # side: lines of its output

    def update(self, sides):
        for side in sides:
            self._output(side)
            told = self._told.setdefault(side.name, set())
            self._once(told, side, "init", side.init_returned is not None, f"init() has returned after {report.seconds(side.start_up)}")
            self._once(told, side, "end", side.ended is not None,
                       f"ended with status {side.exit_code} after {report.seconds(side.elapsed)}")
        if time.monotonic() >= self._next:
            self._next += self._interval
            for side in sides:
                if not side.gone:
                    self._say(side, ", ".join(f"{what} {text}" for what, text in report.now(side) if text != "-"))

    def close(self, sides, stopped):
        self.update(sides)
        print(flush=True)
        for line in report.as_lines(report.comparison(sides, stopped)):
            print(line, flush=True)

    def _once(self, told, side, what, holds, text):
        if holds and what not in told:
            told.add(what)
            self._say(side, text)

    def _say(self, side, text):
        print(f"race: {side.label}: {text}", flush=True)

    def _output(self, side):
        new = side.num_lines - self._printed.get(side.name, 0)
        self._printed[side.name] = side.num_lines
        for line in side.lines[len(side.lines) - min(new, len(side.lines)):]:
            print(f"{side.label:5} | {line}", flush=True)


class Panels:
    """Drawn by rich, again and again in the same place."""

    def __init__(self, title):
        from rich.live import Live

        self._title = title
        self._live = Live(refresh_per_second=10, transient=True)
        self._live.start()

    def update(self, sides):
        from rich.columns import Columns
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        width = max(30, (self._live.console.width - 2) // len(sides))
        panels = []
        for side in sides:
            figures = Table.grid(padding=(0, 2))
            for what, text in report.now(side):
                figures.add_row(Text(what, style="dim"), text)
            output = side.lines[-_LINES_OF_OUTPUT:]
            colour = "green" if side.status == 0 else "red" if side.status is not None else "yellow"
            body = Table.grid()
            body.add_row(figures)
            for line in output + [""] * (_LINES_OF_OUTPUT - len(output)):
                text = Text("| " + line, style="cyan", no_wrap=True)
                text.truncate(width - 6, overflow="ellipsis")
                body.add_row(text)
            panels.append(Panel(body, title=side.label, border_style=colour, width=width))
        self._live.update(Columns(panels, padding=0, title=self._title))

    def close(self, sides, stopped):
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        self._live.stop()
        console = Console()
        names, *rows = report.comparison(sides, stopped)
        table = Table(title=Text(self._title))
        for i, name in enumerate(names):
            table.add_column(name, justify="left" if i == 0 else "right")
        for row in rows:
            table.add_row(*map(Text, row))
        for side in sides:
            if side.status != 0 and side.lines:
                console.print(Text(f"The last that {side.label}'s program said:\n" + "\n".join("  " + line for line in side.lines[-20:])))
        console.print(table)


def chosen(title, json, interval):
    """The one for this terminal."""
    if json:
        return Silent()
    if sys.stdout.isatty():
        try:
            return Panels(title)
        except ImportError:
            pass
    return Plain(interval)
