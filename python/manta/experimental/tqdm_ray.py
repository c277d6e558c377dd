"""Progress bars of tasks and actors (ray.experimental.tqdm_ray). A worker writes lines, which the driver shows as it shows all output of
workers; on a terminal of its own, a driver draws its bar in place."""

from __future__ import annotations

import builtins
import sys
import time

from manta import _native

# A line is written after each such part of the whole; without a total, after so many seconds.
_PARTS, _PERIOD_S = 10, 5.0

# Before each line of a worker, so that bars that look alike are not taken for one that repeats itself (src/node/log_forwarder.h).
_MARK = "\x1e"

_enabled = True


class tqdm:
    """As tqdm.tqdm: around an iterable, or with update(n)."""

    def __init__(self, iterable=None, desc=None, total=None, unit="it", position=None, flush_interval_s=0.1):
        if total is None and hasattr(iterable, "__len__"):
            total = len(iterable)
        self._iterable = iterable
        self._interval = flush_interval_s
        self._began = time.monotonic()
        self._shown_at = self._began
        self._part = None  # that was shown
        self._closed = False
        self.desc = desc or ""
        self.total = total
        self.unit = unit
        self.n = 0

    def set_description(self, desc):
        self.desc = desc
        self._show_if_due()

    def set_total(self, total):
        self.total = total
        self._show_if_due()

    def update(self, n=1):
        self.n += n
        self._show_if_due()

    def refresh(self):
        self._show()

    def close(self):
        """The bar stays as it is then."""
        if not self._closed:
            self._closed = True
            self._show()

    def _show_if_due(self):
        if self.total and not _draws_in_place():
            due = self._part_done() != self._part and self.n < self.total
        else:
            due = time.monotonic() - self._shown_at >= (self._interval if _draws_in_place() else _PERIOD_S)
        if due:
            self._show()

    def _part_done(self):
        return self.n * _PARTS // self.total if self.total else None

    def _show(self):
        if not _enabled:
            return
        self._shown_at = time.monotonic()
        self._part = self._part_done()
        if _draws_in_place():
            _bars.draw(self, self._closed)
        else:
            sys.stderr.write(f"{_MARK if _in_worker() else ''}{self}\n")
            sys.stderr.flush()

    def __str__(self):
        """name:  50%|#####     | 5/10 [0:02, 2.5 it/s]"""
        seconds = max(1e-9, time.monotonic() - self._began)
        name = f"{self.desc}: " if self.desc else ""
        rate = f"[{int(seconds) // 60}:{int(seconds) % 60:02}, {self.n / seconds:.1f} {self.unit}/s]"
        if not self.total:
            return f"{name}{self.n} {self.unit} {rate}"
        share = min(1.0, self.n / self.total)
        return f"{name}{share:4.0%}|{'#' * int(10 * share):10}| {self.n}/{self.total} {rate}"

    def __iter__(self):
        if self._iterable is None:
            raise TypeError("this bar was made around no iterable")
        try:
            for item in self._iterable:
                yield item
                self.update()
        finally:
            self.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def _draws_in_place():
    return sys.stderr.isatty()


def _in_worker():
    return _native.is_initialized() and not _native.context()["is_driver"]


class _Bars:
    """What this process draws in place; nothing between hide_bars and unhide_bars, so that others can write."""

    def __init__(self):
        self._hidden = False
        self._open = None  # the bar that the line is of

    def draw(self, bar, is_last):
        self._open = None if is_last else bar
        if is_last or not self._hidden:
            self._write(f"\r\x1b[K{bar}" + ("\n" if is_last else ""))

    def hide_bars(self):
        if not self._hidden and _draws_in_place():
            self._write("\r\x1b[K")
        self._hidden = True

    def unhide_bars(self):
        self._hidden = False
        if self._open is not None and _draws_in_place():
            self.draw(self._open, False)

    @staticmethod
    def _write(text):
        sys.stderr.write(text)
        sys.stderr.flush()


_bars = _Bars()


def instance():
    """The bars of this process."""
    return _bars


def safe_print(*args, **kwargs):
    """print, above the bar."""
    _bars.hide_bars()
    try:
        builtins.print(*args, **{"flush": True, **kwargs})
    finally:
        _bars.unhide_bars()


def set_enabled(new_value):
    """Whether bars of this process are shown."""
    global _enabled
    _enabled = bool(new_value)
