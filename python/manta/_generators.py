"""What tasks that are generators give."""

from __future__ import annotations

import inspect

from manta import _futures, _native

ObjectRefGenerator = _native.ObjectRefGenerator

# For the extension (callers.h).
_STREAMING, _DYNAMIC = -1, -2


class DynamicObjectRefGenerator:
    """The references of what a task with num_returns="dynamic" has given; the value of its reference."""

    def __init__(self, refs):
        self._refs = list(refs)

    def __iter__(self):
        return iter(self._refs)

    def __len__(self):
        return len(self._refs)

    def __getitem__(self, index):
        return self._refs[index]

    def __repr__(self):
        return f"DynamicObjectRefGenerator({len(self._refs)} references)"


def is_generator(function):
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def returns_of(function, options, name):
    """(num_returns, most_ahead) as the extension has them, for a task or method; `function`: None if it is not known here."""
    given = options.get("num_returns")
    generates = function is None or is_generator(function)
    if given is None and function is not None and generates:
        given = "streaming"
    if isinstance(given, str) and not generates:
        raise ValueError(f"num_returns={given!r} is for generators, and '{name}' is none: it has no yield.")
    ahead = options.get("_generator_backpressure_num_objects")
    if ahead is not None and given != "streaming":
        raise ValueError(f"_generator_backpressure_num_objects is for generators with num_returns='streaming', and '{name}' is none.")
    if isinstance(given, str):
        return (_STREAMING, max(ahead or 0, 0)) if given == "streaming" else (_DYNAMIC, 0)
    return 1 if given is None else given, 0


def collect_items(items):
    """In a worker, for the extension."""
    return DynamicObjectRefGenerator([_native.put(item) for item in items])


def waitable_of(item):
    """The reference that is there when `item` has something new: itself, or the next item of a generator."""
    return item._peek() if type(item) is ObjectRefGenerator else item


async def next_of(generator):
    """For `async for`."""
    item = generator._peek()
    await _futures.ready(item)
    if not generator._advance():
        raise StopAsyncIteration
    return item


def is_finished(generator):
    """Whether the task has ended and all of its items were taken."""
    from manta import exceptions

    if not generator.next_ready():
        return False
    try:
        _native.get([generator._peek()], 0)
    except exceptions.ObjectRefStreamEndOfStreamError:
        return True
    except Exception:
        pass
    return False
