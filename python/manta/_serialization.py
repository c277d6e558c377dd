"""Values as pickles of protocol 5 with their large buffers beside them; functions and classes of the main program by value (cloudpickle)."""

from __future__ import annotations

import io
import pickle

_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})
# Where a value is looked through for what only cloudpickle can pickle; larger ones go to it unseen.
_MOST_LOOKED_AT = 64


def _is_plain(value, left=_MOST_LOOKED_AT):
    """How much of `left` remains after a value that pickle itself pickles well; negative: it may not."""
    if left < 0:  # the value may contain itself
        return left
    kind = type(value)
    if kind in _PLAIN:
        return left - 1
    if kind is list or kind is tuple:
        for item in value:
            left = _is_plain(item, left - 1)
            if left < 0:
                break
        return left
    if kind is dict:
        for key, item in value.items():
            left = _is_plain(item, _is_plain(key, left - 1))
            if left < 0:
                break
        return left
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return left - 1 if not value.dtype.hasobject else -1
    if kind.__module__ == "manta" and kind.__name__ == "ObjectRef":
        return left - 1
    return -1


def dumps(value):
    """(pickle, buffers)"""
    buffers = []

    def keep(buffer):
        buffers.append(buffer.raw())

    if _is_plain(value) >= 0:
        return pickle.dumps(value, 5, buffer_callback=keep), buffers
    file = io.BytesIO()
    writer = pickler()(file, 5, buffer_callback=keep)
    try:
        writer.dump(value)
    except Exception as error:
        from manta import _unpicklable

        raise _unpicklable.error_of(value, error) from error
    return file.getvalue(), buffers


def dumps_alone(value):
    """A pickle with everything in it."""
    file = io.BytesIO()
    pickler()(file, 5).dump(value)
    return file.getvalue()


def loads(data, buffers):
    """The value. What its class raises comes as a RaySystemError, as programs for Ray expect it, with the error itself as its cause."""
    try:
        return pickle.loads(data, buffers=buffers)
    except Exception as error:
        import traceback

        from manta.exceptions import RayError, RaySystemError

        if isinstance(error, RayError):
            raise
        raise RaySystemError(f"a value could not be unpickled: {error!r}", traceback.format_exc()) from error


# class: value -> what __reduce__ would give (manta.util.serialization)
custom = {}
_pickler = None


def pickler():
    """The class that makes all pickles that need more than pickle itself."""
    global _pickler
    if _pickler is None:
        import types

        import cloudpickle
        from cloudpickle import cloudpickle as inside

        class Pickler(cloudpickle.CloudPickler):
            """Keeps the names of source files, which tracebacks show; cloudpickle drops them."""

            def reducer_override(self, value):
                kind = type(value)
                reduce = custom.get(kind)
                if reduce is not None:
                    return reduce(value)
                if kind.__name__ == "Tensor" and kind.__module__ == "torch":
                    from manta import _torch

                    return _torch.reduce(value) or super().reducer_override(value)
                if kind is not types.CodeType:
                    return super().reducer_override(value)
                make, arguments = inside._code_reduce(value)[:2]
                return make, tuple(value.co_filename if argument == "<dynamic-code>" else argument for argument in arguments)

        _pickler = Pickler
    return _pickler
