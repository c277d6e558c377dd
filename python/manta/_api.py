"""The functions of the core interface."""

from __future__ import annotations

import inspect

from manta import _generators, _native, _not_yet, _options, actor, remote_function
from manta._native import ObjectRef, ObjectRefGenerator


def remote(*args, **options):
    """Makes a task of a function or an actor of a class: @remote, or @remote(option=value)."""
    if len(args) == 1 and not options:
        return _make(args[0], {})
    if args or not options:
        raise ValueError("remote is a decorator without parentheses (@remote), or one with options by name (@remote(num_cpus=2)): "
                         "@remote() with nothing, or with values without names, is neither.")

    def decorate(target):
        return _make(target, options)

    return decorate


def _make(target, options):
    if isinstance(target, (actor.ActorClass, actor.ActorMethod, remote_function.RemoteFunction)):
        raise TypeError("The @ray.remote decorator must be applied to either a function or a class, and only once: "
                        f"{target!r} is remote already.")
    if inspect.isclass(target):
        _options.check("actor", options)
        return actor.ActorClass(target, options)
    if inspect.isfunction(target) or inspect.isbuiltin(target) or callable(target) and hasattr(target, "__name__"):
        _options.check("task", options)
        if inspect.iscoroutinefunction(target):
            raise ValueError(f"{target.__qualname__} is a coroutine: a task is a plain function, which may run one (asyncio.run); methods of "
                             "actors may be coroutines.")
        if inspect.isasyncgenfunction(target):
            raise ValueError(f"{target.__qualname__} is an asynchronous generator: a task may be a plain one; methods of actors may be "
                             "asynchronous.")
        return remote_function.RemoteFunction(target, options)
    raise TypeError(f"The @ray.remote decorator must be applied to either a function or a class; {target!r} is neither.")


def _check_timeout(timeout):
    if not hasattr(timeout, "__float__") and not hasattr(timeout, "__index__"):
        raise TypeError(f"timeout has to be a number of seconds or None, not {timeout!r}")
    if timeout < 0:
        raise ValueError(f"timeout has to be None, 0 or more, not {timeout!r}")


def get(object_refs, *, timeout=None):
    """The value of a reference, or the values of a list of them. Raises what the first failed one has raised."""
    if timeout is not None:
        _check_timeout(timeout)
    if type(object_refs) is ObjectRef:
        return _native.get([object_refs], timeout)[0]
    if type(object_refs) is ObjectRefGenerator:
        raise ValueError("get takes an ObjectRef or a list of them, and this is an ObjectRefGenerator: get the references that it gives, "
                         "such as get(next(generator)).")
    if not isinstance(object_refs, list):
        raise ValueError(f"get takes an ObjectRef or a list of them, not {type(object_refs).__name__}: {object_refs!r}")
    for ref in object_refs:
        if type(ref) is not ObjectRef:
            raise TypeError(f"get takes a list of ObjectRefs; {ref!r} in it is none.")
    return _native.get(object_refs, timeout)


def put(value, *, _owner=None, _tensor_transport="object_store"):
    """A reference to a copy of `value` in the object store."""
    if type(value) is ObjectRef:
        raise TypeError("put takes a value, and this is an ObjectRef already: pass it on as it is, or put it inside of a list.")
    if _owner is not None:
        raise _not_yet.error("put(_owner=...)")
    if _tensor_transport not in ("object_store", "OBJECT_STORE"):
        raise _not_yet.error(f"put(_tensor_transport={_tensor_transport!r})")
    return _native.put(value)


def wait(ray_waitables, *, num_returns=1, timeout=None, fetch_local=True):
    """(ready, not ready), each in the order given; ready has at most `num_returns`."""
    if type(ray_waitables) in (ObjectRef, ObjectRefGenerator):
        raise TypeError("wait takes a list of ObjectRefs, not a single one: wait([ref])")
    if not isinstance(ray_waitables, list):
        raise TypeError(f"wait takes a list of ObjectRefs, not {type(ray_waitables).__name__}: {ray_waitables!r}")
    if timeout is not None:
        _check_timeout(timeout)
    generators = False
    for ref in ray_waitables:
        if type(ref) is not ObjectRef:
            if type(ref) is not ObjectRefGenerator:
                raise TypeError(f"wait takes a list of ObjectRefs; {ref!r} in it is none.")
            generators = True
    if not ray_waitables:
        return [], []
    if len(set(ray_waitables)) != len(ray_waitables):
        raise ValueError("wait takes each reference once: the list has to be of unique ones.")
    if not isinstance(num_returns, int):
        raise TypeError(f"num_returns has to be a whole number, not {num_returns!r}")
    if num_returns <= 0:
        raise ValueError(f"num_returns has to be 1 or more, not {num_returns!r}")
    if num_returns > len(ray_waitables):
        raise ValueError(f"num_returns is {num_returns}, and there are only {len(ray_waitables)} references")
    if not generators:
        return _native.wait(ray_waitables, num_returns, timeout)
    looked_at = [_generators.waitable_of(item) for item in ray_waitables]
    ready = set(_native.wait(looked_at, num_returns, timeout)[0])
    return ([item for item, ref in zip(ray_waitables, looked_at) if ref in ready],
            [item for item, ref in zip(ray_waitables, looked_at) if ref not in ready])


def kill(actor_handle, *, no_restart=True):
    """Ends an actor at once."""
    if not isinstance(actor_handle, actor.ActorHandle):
        raise ValueError(f"kill ends actors, and this is no handle of one: {actor_handle!r}; tasks are ended by cancel.")
    actor_handle._native.kill(no_restart)


def cancel(ray_waitable, *, force=False, recursive=True):
    """Cancels the task that makes the object. Its value is a TaskCancelledError then, unless it is there already."""
    if type(ray_waitable) is ObjectRefGenerator:
        ray_waitable = ray_waitable.completed()
    if type(ray_waitable) is not ObjectRef:
        raise TypeError(f"cancel takes the reference of a task, not {ray_waitable!r}; actors are ended by kill.")
    _native.cancel(ray_waitable, force, recursive)


def get_actor(name, namespace=None):
    """The handle of a named actor."""
    if not isinstance(name, str) or not name:
        raise ValueError(f"get_actor takes a name that is not empty, not {name!r}")
    if namespace is not None and not isinstance(namespace, str):
        raise TypeError(f"namespace has to be a str or None, not {namespace!r}")
    return actor.find(name, namespace)


def cluster_resources():
    return _native.resources(0)


def available_resources():
    return {name: amount for name, amount in _native.resources(1).items() if amount > 0}


def get_gpu_ids():
    gpus = _native.context()["gpus"]
    return [i for i in range(64) if gpus >> i & 1]
