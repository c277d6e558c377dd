"""The figures of a race as texts, and what it comes to."""

from __future__ import annotations


def seconds(value):
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s" if value < 100 else f"{value:,.0f} s"


def size(value):
    return "-" if not value else f"{value / (1 << 20):,.0f} MiB" if value < 10 << 30 else f"{value / (1 << 30):,.1f} GiB"


def count(value, exact=True):
    return "-" if value is None else ("" if exact else "about ") + f"{value:,.0f}"


def now(side):
    """What it looks like at this moment: (what, text)."""
    return [
        ("state", side.state),
        ("elapsed", seconds(side.elapsed)),
        ("start-up", seconds(side.start_up)),
        ("tasks", count(side.tasks, side.tasks_exact)),
        ("tasks per second", count(side.tasks_per_second, side.tasks_exact)),
        ("memory (PSS)", f"{size(side.memory)}, at most {size(side.most_memory)}"),
        ("processes", count(side.processes)),
    ]


# what, the figure, its text, which way it is better
_ROWS = (
    ("elapsed", lambda side: side.elapsed, lambda side: seconds(side.elapsed), "less"),
    ("start-up until init() has returned", lambda side: side.start_up, lambda side: seconds(side.start_up), "less"),
    ("  of it init() itself", lambda side: side.init_seconds, lambda side: seconds(side.init_seconds), "less"),
    ("from there to the program's end", lambda side: side.work, lambda side: seconds(side.work), "less"),
    ("tasks finished", lambda side: side.tasks, lambda side: count(side.tasks, side.tasks_exact), None),
    ("tasks per second meanwhile", lambda side: side.tasks_per_second,
     lambda side: count(side.tasks_per_second, side.tasks_exact), "more"),
    ("most memory (PSS)", lambda side: side.most_memory, lambda side: size(side.most_memory), "less"),
    ("most processes", lambda side: side.most_processes, lambda side: count(side.most_processes), "less"),
    ("exit status", lambda side: side.exit_code, lambda side: count(side.exit_code), None),
)


def ratio(ours, theirs, better):
    """How many times better the first is, or None."""
    if better is None or not ours or not theirs:
        return None
    return theirs / ours if better == "less" else ours / theirs


def comparison(sides, stopped):
    """Rows (what, text of each side ..., text of the ratio), the names of the columns first. What was stopped has no ratios."""
    both = len(sides) == 2 and not stopped
    rows = [("", *(side.label for side in sides), *(["Manta is"] if both else []))]
    for what, figure, text, better in _ROWS:
        row = [what, *(text(side) for side in sides)]
        if both:
            ray, manta = sides
            times = ratio(figure(manta), figure(ray), better)
            row.append("" if times is None else f"{times:,.1f} times better" if times >= 1 else f"{1 / times:,.1f} times worse")
        rows.append(tuple(row))
    return rows


def as_lines(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
            for row in rows]


def as_json(sides, arguments, note, stopped):
    """Everything, for programs."""
    result = {"program": arguments, "note": note, "stopped": stopped, **{side.name: side.figures() for side in sides}}
    if len(sides) == 2 and not stopped:
        ray, manta = sides
        names = ("elapsed", "start_up", "init", "work", None, "tasks_per_second", "memory", "processes", None)
        result["times_better"] = {name: ratio(figure(manta), figure(ray), better)
                                  for name, (_, figure, _, better) in zip(names, _ROWS) if name is not None}
    return result
