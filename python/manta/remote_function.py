"""Functions that run as tasks."""

from __future__ import annotations

from manta import _generators, _max_calls, _native, _options, _retries
from manta._arguments import check_of, shape_of
from manta._export import Exported

_FUNCTION = 0


class RemoteFunction(_options.WithOptions):
    """What @remote makes of a function. Call it with .remote(...)."""

    def __init__(self, function, options, exported=None):
        self._function = function
        self._options = options
        self._exported_function = exported or Exported(_as_it_runs(function, options), function)
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self.__module__ = function.__module__
        returns, most_ahead = _generators.returns_of(function, options, _name_of(function))
        self.remote = _native.Caller(_FUNCTION, returns, _name_of(function), self, None, check_of(shape_of(function, skip_first=False)),
                                     most_ahead, options.get("name") or None)

    def __call__(self, *args, **kwargs):
        raise TypeError(f"{_name_of(self._function)} is a remote function and cannot be called here: "
                        f"{_name_of(self._function)}.remote(...) runs it as a task.")

    def options(self, **options):
        """The same function, called with other options."""
        _options.check("task", options, in_options=True)
        both = {**self._options, **options}
        # What is exported is the same unless what is retried on, or for how many calls a worker serves, is not.
        same = (both.get("retry_exceptions") == self._options.get("retry_exceptions") and
                _most_calls(both) == _most_calls(self._options))
        return RemoteFunction(self._function, both, self._exported_function if same else None)

    # For the extension, before the first call in a session.
    def _exported(self):
        return self._exported_function.exported()

    def _options_number(self):
        return _options.intern({"max_retries": _options.default_retries(), **self._options})

    def __reduce__(self):
        return _rebuild, (self._function, self._options)

    def __repr__(self):
        return f"RemoteFunction({_name_of(self._function)})"


def _as_it_runs(function, options):
    retried = options.get("retry_exceptions")
    if isinstance(retried, (list, tuple)):
        function = _retries.marking(function, tuple(retried))
    most_calls = _most_calls(options)
    return _max_calls.counting(function, most_calls) if most_calls else function


def _most_calls(options):
    """In one worker. One that has used a GPU keeps memory there, and may be given another device: it serves no second call by default."""
    given = options.get("max_calls")
    return given if given is not None else int(bool(options.get("num_gpus")))


def _rebuild(function, options):
    return RemoteFunction(function, options)


def _name_of(function):
    return getattr(function, "__qualname__", None) or repr(function)
