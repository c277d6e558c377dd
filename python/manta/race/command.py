"""`manta race`: one Ray program, unmodified, under Ray and under Manta at the same time.

    manta race [--ray-python PATH] [--in-turn] [--json] [--interval S] PROGRAM.py [ARGUMENT...]
    manta race [...] -m MODULE [ARGUMENT...]

Both sides are shown live: time, start-up, tasks, memory, processes; then what it comes to.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from manta.race import display, report
from manta.race.side import Side

_LOOK_EVERY = 0.1
_MEASURE_EVERY = 0.5  # in the first second more often
_FIND_RAY = "import importlib.util, sys; spec = importlib.util.find_spec('ray'); sys.exit(spec is None or spec.origin is None)"


def _options(arguments):
    parser = argparse.ArgumentParser(
        prog="manta race", description="Runs one Ray program, unmodified, under Ray and under Manta at the same time.",
        epilog="Exit status: that of the programs (Manta's, if both fail), 130 after Ctrl-C, 2 for wrong arguments.")
    parser.add_argument("--ray-python", metavar="PATH", default=None, help="an interpreter that has Ray (default: this one)")
    parser.add_argument("--in-turn", action="store_true", help="Ray first, then Manta, so that neither is in the other's way")
    parser.add_argument("--json", action="store_true", help="only the figures, as JSON, when both have ended")
    parser.add_argument("--interval", type=float, default=1.0, metavar="S", help="seconds between lines, when stdout is no terminal")
    parser.add_argument("-m", dest="module", action="store_true", help="PROGRAM is the name of a module")
    parser.add_argument("program", metavar="PROGRAM", help="says `import ray`")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER, help="of the program")
    options = parser.parse_args(arguments)
    if not options.module and not os.path.isfile(options.program):
        parser.error(f"there is no file {options.program}")
    if options.interval <= 0:
        parser.error(f"--interval has to be more than 0, not {options.interval:g}")
    if options.ray_python is not None:
        found = shutil.which(options.ray_python)
        if found is None:
            parser.error(f"--ray-python: there is no interpreter {options.ray_python}")
        options.ray_python = os.path.abspath(found)
    return options


def _has_ray(python):
    try:
        return subprocess.run([python, "-c", _FIND_RAY], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class _Stopped(Exception):
    def __init__(self, number):
        self.number = number


def _stop(number, frame):
    raise _Stopped(number)


def _watch(sides, shown, all_sides):
    """Until all of `sides` are over."""
    measured = 0.0
    while not all(side.gone for side in sides):
        now = time.monotonic()
        if now - measured >= _MEASURE_EVERY or now - sides[0].began < 1:
            measured = now
            for side in sides:
                side.measure()
        for side in sides:
            side.look()
        shown.update(all_sides)
        time.sleep(_LOOK_EVERY)


def _run(sides, shown, in_turn):
    """Gives the number of the signal that has stopped it, or None, and the sides that have been started."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    started, stopped = [], None
    try:
        for turn in [[side] for side in sides] if in_turn else [sides]:
            for side in turn:
                side.start()
                started.append(side)
            _watch(turn, shown, started)
    except _Stopped as stop:
        stopped = stop.number
    finally:
        # From here on nothing stops it: what has been started is ended.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for side in started:
            side.end()
        with contextlib.suppress(Exception):
            _watch(started, shown, started)
    return stopped, started


def main(arguments=None):
    options = _options(arguments)
    ray_python = options.ray_python or sys.executable
    program = (["-m"] if options.module else []) + [options.program, *options.arguments]
    names, note = [("ray", ray_python), ("manta", sys.executable)], None
    if not _has_ray(ray_python):
        names = names[1:]
        note = f"{ray_python} has no Ray, so Manta runs alone; --ray-python PATH names an interpreter that has it"
        print(f"race: {note}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="race-", ignore_cleanup_errors=True) as folder:
        sides = []
        for name, python in names:
            os.mkdir(os.path.join(folder, name[0]))
            sides.append(Side(name, python, program, os.path.join(folder, name[0])))
        shown = display.chosen(" ".join(program), options.json, options.interval)
        stopped, started = _run(sides, shown, options.in_turn)
        if started:
            shown.close(started, stopped is not None)
        if options.json:
            print(json.dumps(report.as_json(started, program, note, stopped is not None), indent=1), flush=True)
    if stopped is not None:
        print("race: stopped; what it had started has ended", file=sys.stderr)
        return 128 + stopped
    return next((side.exit_code for side in reversed(sides) if side.exit_code), 0)
