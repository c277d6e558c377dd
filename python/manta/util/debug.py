"""Saying something once only (ray.util.debug)."""

from __future__ import annotations

import threading
import time

_lock = threading.Lock()
_logged = set()
_period_s = None
_last_reset = time.monotonic()
_disabled = False


def log_once(key):
    """True at the first call with `key` in this process; with enable_periodic_logging once in a while."""
    global _last_reset
    with _lock:
        if _disabled:
            return False
        if _period_s is not None and time.monotonic() - _last_reset > _period_s:
            _logged.clear()
            _last_reset = time.monotonic()
        if key in _logged:
            return False
        _logged.add(key)
        return True


def reset_log_once(key=None):
    """As if nothing had been logged under `key`, or at all."""
    with _lock:
        _logged.clear() if key is None else _logged.discard(key)


def disable_log_once_globally():
    global _disabled
    _disabled = True


def enable_periodic_logging(period_s=60.0):
    """log_once says True again after so many seconds."""
    global _disabled, _period_s
    _disabled = False
    _period_s = period_s
