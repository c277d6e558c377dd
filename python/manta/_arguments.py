"""Whether arguments fit a function, told at the call and not first where the function runs."""

from __future__ import annotations

import inspect


def shape_of(function, skip_first):
    """What `function` takes: a signature without its defaults' values, which travels. None: it is not known, or it takes anything."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    parameters = list(signature.parameters.values())[int(skip_first):]
    if [parameter.kind for parameter in parameters] == [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]:
        return None
    plain = [inspect.Parameter(p.name, p.kind, default=p.empty if p.default is p.empty else None) for p in parameters]
    return inspect.Signature(plain)


def check_of(shape):
    """(least, most, check): so many positional arguments alone fit; of any others check(args, kwargs) raises TypeError if they do not."""
    if shape is None:
        return 0, 0, None
    parameters = list(shape.parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least, most = sum(p.default is p.empty for p in positional), len(positional)
    if len(positional) < len(parameters):
        least, most = 1, 0  # keyword-only ones may be missing: always look

    def check(args, kwargs):
        shape.bind(*args, **kwargs)

    return least, most, check
