"""Exceptions after which a call is tried again."""

from __future__ import annotations

import functools
import inspect
import types

from manta import runtime_context


def marking(function, kinds):
    """`function`, whose exceptions of one of `kinds` are marked in the worker: the call's owner tries it again."""
    if inspect.isasyncgenfunction(function):
        @functools.wraps(function)
        async def call(*args, **kwargs):
            try:
                async for item in function(*args, **kwargs):
                    yield item
            except kinds as error:
                raise _marked(error)
    elif inspect.iscoroutinefunction(function):
        @functools.wraps(function)
        async def call(*args, **kwargs):
            try:
                return await function(*args, **kwargs)
            except kinds as error:
                raise _marked(error)
    else:
        @functools.wraps(function)
        def call(*args, **kwargs):
            try:
                result = function(*args, **kwargs)
                return _each(result, kinds) if isinstance(result, types.GeneratorType) else result
            except kinds as error:
                raise _marked(error)
    call.__manta_unmarked__ = function
    return call


def call_marking(actor, name, kinds, *args, **kwargs):
    """A call of a method with kinds of its own instead of those that its class gives it."""
    runtime_context.remember_function(actor, name)
    method = getattr(actor, name)
    unmarked = getattr(method, "__manta_unmarked__", None)
    return marking(method if unmarked is None else unmarked.__get__(actor), kinds)(*args, **kwargs)


def _each(generator, kinds):
    try:
        return (yield from generator)
    except kinds as error:
        raise _marked(error)


_MARK = "__manta_retriable__"


def _marked(error):
    object.__setattr__(error, _MARK, True)  # its class may refuse, or do anything
    return error


def take_mark(error):
    """Whether it was marked; it is not any more."""
    return object.__getattribute__(error, "__dict__").pop(_MARK, False)
