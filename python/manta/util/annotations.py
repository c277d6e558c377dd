"""How stable an interface is, as decorators (ray.util.annotations)."""

from __future__ import annotations

import functools
import inspect
import warnings


class RayDeprecationWarning(DeprecationWarning):
    """Shown by default, which Python's own is not."""


warnings.filterwarnings("default", category=RayDeprecationWarning)


def _mark(level):
    def make(*args, **kwargs):
        """Bare or with arguments: @PublicAPI, @PublicAPI(stability="alpha")."""
        if len(args) == 1 and not kwargs and callable(args[0]):
            return _with_level(args[0], level)
        return lambda target: _with_level(target, level)

    return make


def _with_level(target, level):
    target._annotated = getattr(target, "__name__", None)
    target._annotated_type = level
    return target


PublicAPI = _mark("PublicAPI")
DeveloperAPI = _mark("DeveloperAPI")


def Deprecated(*args, message="", warning=False):
    """`warning`: each use says so, with `message`."""

    def decorate(target):
        _with_level(target, "Deprecated")
        if not warning:
            return target
        text = f"{target.__qualname__} is deprecated. {message}".rstrip()
        if inspect.isclass(target):
            former = target.__init__

            @functools.wraps(former)
            def init(self, *args, **kwargs):
                warnings.warn(text, RayDeprecationWarning, stacklevel=2)
                former(self, *args, **kwargs)

            target.__init__ = init
            return target

        @functools.wraps(target)
        def wrapped(*args, **kwargs):
            warnings.warn(text, RayDeprecationWarning, stacklevel=2)
            return target(*args, **kwargs)

        return wrapped

    return decorate(args[0]) if len(args) == 1 and callable(args[0]) else decorate
