"""ray.cloudpickle: pickles of functions and classes by value, with the serializers of ray.util.register_serializer."""

import io

from cloudpickle import load, loads, register_pickle_by_value, unregister_pickle_by_value

from manta import _serialization

CloudPickler = Pickler = _serialization.pickler()

__all__ = ["CloudPickler", "Pickler", "dump", "dumps", "load", "loads", "register_pickle_by_value", "unregister_pickle_by_value"]


def dump(obj, file, protocol=None, buffer_callback=None):
    """Writes a pickle of `obj` into a file. References in it stay valid as long as this process."""
    CloudPickler(file, protocol=protocol, buffer_callback=buffer_callback).dump(obj)


def dumps(obj, protocol=None, buffer_callback=None):
    """The same as bytes."""
    file = io.BytesIO()
    dump(obj, file, protocol, buffer_callback)
    return file.getvalue()
