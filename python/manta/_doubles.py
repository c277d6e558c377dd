"""Classes of errors that are of their causes' classes, too."""

from __future__ import annotations

import types


class _Double:
    """Keeps in a class's __dict__ what is derived from it here, so that both go together. In a pickle of the class it is False."""

    __slots__ = ("type",)

    def __init__(self, made):
        self.type = made

    def __reduce__(self):
        return bool, ()


_DOUBLE = "__manta_double__"
_doubles_of_builtins = {}  # classes that take no attributes, and stay as long as the process


def type_of(error_type, cause_type):
    """The class RayTaskError(<cause_type>), where `error_type` is RayTaskError; None if nothing can be derived from the two."""
    known = _doubles_of_builtins.get(cause_type) or cause_type.__dict__.get(_DOUBLE)
    return known.type if known else _make(error_type, cause_type)


def _make(error_type, cause_type):
    def init(self, error):
        self._error = error
        self.cause = error.cause
        self.args = error.cause.args

    def new(cls, error):
        # Neither constructor of the bases is known to take what there is; but the arguments have made one such exception.
        for make, args in ((cause_type.__new__, error.cause.args), (cause_type.__new__, ()), (BaseException.__new__, error.cause.args)):
            try:
                made = make(cls, *args)
            except TypeError as why:
                refused = why
            else:
                _copy_fields(error.cause, made)
                return made
        raise refused

    def getattribute(self, name):
        error = self.__dict__.get("_error")
        if error is not None and name in error.__dict__:
            return getattr(error, name)
        return getattr(self.cause, name)

    name = f"{error_type.__name__}({cause_type.__name__})"
    members = {
        "__init__": init,
        "__new__": new,
        "__getattr__": getattribute,
        "__str__": lambda self: str(self._error),
        "__reduce__": lambda self: (_rebuild, (self._error,)),
        "as_instanceof_cause": lambda self: self,
        "__module__": "ray.exceptions",
        "__qualname__": name,
    }
    try:
        made = type(name, (error_type, cause_type), members)
    except TypeError:
        return None
    try:
        type.__setattr__(cause_type, _DOUBLE, _Double(made))
    except TypeError:
        _doubles_of_builtins[cause_type] = _Double(made)
    return made


def _copy_fields(cause, made):
    """What builtin exceptions keep outside of their __dict__ (StopIteration.value, OSError.filename). The interpreter reads such fields
    itself, and takes them to be set."""
    for base in type(cause).__mro__:
        if base.__module__ != "builtins" or base in (BaseException, object):
            continue
        for name, field in vars(base).items():
            if isinstance(field, (types.MemberDescriptorType, types.GetSetDescriptorType)):
                try:
                    field.__set__(made, field.__get__(cause))
                except (AttributeError, TypeError, ValueError):  # it cannot be set, or is not there
                    pass


def _rebuild(error):
    return error.as_instanceof_cause()
