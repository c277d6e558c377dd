"""Classes that run as actors."""

from __future__ import annotations

import collections
import functools
import inspect
import pickle

from manta import _errors, _generators, _manta, _native, _options, _retries
from manta._arguments import check_of, shape_of
from manta._export import Exported

_CONSTRUCTOR, _METHOD = 1, 2
# Calls under way at once in an actor with coroutines, unless max_concurrency says otherwise.
_MOST_COROUTINES = 1000
_OF_METHODS = "__manta_method_options__"
_RETRYING = "__manta_retrying__"  # calls another method, and marks exceptions that the call lists


class ActorClassInheritanceException(TypeError):
    pass


def method(*args, **options):
    """Options of one method of an actor's class, as a decorator."""
    if args or not options:
        raise ValueError("method is a decorator with options by name, such as @method(num_returns=2).")
    _options.check("method", options)

    def decorate(function):
        setattr(function, _OF_METHODS, options)
        return function

    return decorate


def exit_actor():
    """Ends the actor that runs the calling method, on purpose: it does not start again."""
    if _native.context()["actor_id"] == (0, 0):
        raise TypeError("exit_actor ends the actor that calls it, and this is none.")
    _native.exit_actor()
    raise _errors.ActorExit(0)


class _Description:
    """What a handle has to know of its actor's class: its methods."""

    __slots__ = ("class_name", "methods")

    def __init__(self, class_name, methods):
        self.class_name = class_name
        self.methods = methods  # name: (options, the arguments' shape, or None)

    @staticmethod
    def of(cls):
        methods, of_handles = {}, dir(ActorHandle)
        for name, member in inspect.getmembers(cls, lambda m: inspect.isroutine(m)):
            if name in of_handles:
                continue
            given = inspect.getattr_static(cls, name)
            bound = isinstance(given, (staticmethod, classmethod))
            methods[name] = _method_options(name, member), shape_of(member, skip_first=not bound)
        return _Description(cls.__name__, methods)

    def __reduce__(self):
        return _Description, (self.class_name, self.methods)


# ActorClass.__ray_metadata__, as far as programs read it.
_Metadata = collections.namedtuple("_Metadata", ("modified_class", "class_name"))


class ActorClass(_options.WithOptions):
    """What @remote makes of a class. Make an actor with .remote(...)."""

    def __init__(self, cls, options, exported=None):
        self._class = cls
        self._given = options
        self._complete(exported)

    def _complete(self, exported=None):
        cls = self._class
        self._is_async = _is_async(cls)
        self._exported_class = exported or Exported(_runnable(cls, self.concurrency_groups), cls)
        self._description = _Description.of(cls)
        self.__doc__ = cls.__doc__
        self.__name__ = cls.__name__
        self.__qualname__ = cls.__qualname__
        self.__module__ = cls.__module__
        check = check_of(shape_of(cls.__init__, skip_first=True)) if cls.__init__ is not object.__init__ else _takes_nothing(cls)
        self._create = _native.Caller(_CONSTRUCTOR, 0, cls.__qualname__ + ".__init__", self, None, check, 0, None, cls.__name__ + ".__init__")

    def __getattr__(self, name):
        if name in ("_is_async", "_exported_class", "_description", "_create", "__name__"):
            self._complete()
            return self.__dict__[name]
        if name == "__ray_metadata__":
            return _Metadata(self._class, self._class.__name__)
        if name.startswith("__") or name == "_class" or not hasattr(self._class, name):
            raise AttributeError(f"an actor's class has no attribute '{name}'")
        return getattr(self._class, name)

    def __call__(self, *args, **kwargs):
        raise TypeError(f"{self._class.__name__} is an actor's class and cannot be called: {self._class.__name__}.remote(...) makes an actor.")

    def __mro_entries__(self, bases):
        raise ActorClassInheritanceException(
            f"{self._class.__name__} is an actor's class, from which nothing can be derived: derive from a plain class, and make that an "
            "actor's.")

    def remote(self, *args, **kwargs):
        """A new actor, at once; a failure of its constructor shows in its methods' results."""
        native = self._create(*args, **kwargs)
        # One that get_if_exists has found may be of another class.
        return _handle(native, self._description) if self.get_if_exists else ActorHandle(native, self._description)

    def options(self, **options):
        _options.check("actor", options, in_options=True)
        return ActorClass(self._class, {**self._given, **options}, self._exported_class)

    # For the extension: what is exported, and the options of the creation.
    def _exported(self):
        return self._exported_class.exported()

    def _options_number(self):
        return _options.intern({key: self._given.get(key) for key in _options.OF_CREATION})

    @property
    def actor_name(self):
        return self._given.get("name")

    @property
    def actor_namespace(self):
        return self._given.get("namespace")

    @property
    def description(self):
        return pickle.dumps(self._description) if self.actor_name else b""

    @property
    def detached(self):
        return int(self._given.get("lifetime") == "detached")

    @property
    def get_if_exists(self):
        return int(bool(self._given.get("get_if_exists")))

    @property
    def max_restarts(self):
        return self._given.get("max_restarts") or 0

    @property
    def max_task_retries(self):
        return self._given.get("max_task_retries") or 0

    @property
    def max_pending_calls(self):
        given = self._given.get("max_pending_calls")
        return -1 if given is None else given

    @property
    def max_concurrency(self):
        return self._given.get("max_concurrency") or (_MOST_COROUTINES if self._is_async else 1)

    @property
    def concurrency_groups(self):
        return self._given.get("concurrency_groups") or {}

    def __reduce__(self):
        return _rebuild_class, (self._class, self._given)

    def __repr__(self):
        return f"ActorClass({self._class.__name__})"


def _rebuild_class(cls, given):
    """Completed when it is used: `cls` may be unpickled itself just now, if it makes actors of its own class."""
    made = ActorClass.__new__(ActorClass)
    made._class = cls
    made._given = given
    return made


def _method_options(name, member):
    options = getattr(member, _OF_METHODS, {})
    _generators.returns_of(member, options, name)  # raises for those that do not fit
    return {"num_returns": "streaming", **options} if _generators.is_generator(member) else options


def _takes_nothing(cls):
    def check(args, kwargs):
        if args or kwargs:
            raise TypeError(f"{cls.__name__}() takes no arguments")

    return 0, 0, check


def _runnable(cls, groups):
    """`cls` with what every actor has; a class of its own, so that the user's stays as it is."""
    members = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "__ray_ready__": lambda self: True,
        "__ray_terminate__": lambda self: exit_actor(),
        "__ray_call__": lambda self, function, *args, **kwargs: function(self, *args, **kwargs),
        _RETRYING: _retries.call_marking,
    }
    for name, member in inspect.getmembers(cls, inspect.isfunction):
        retried = getattr(member, _OF_METHODS, {}).get("retry_exceptions")
        if isinstance(retried, (list, tuple)):
            members[name] = _retries.marking(member, tuple(retried))
    if _is_async(cls):
        members["__manta_event_loops__"] = (None, *groups)
    return type(cls.__name__, (cls,), members)


def _is_async(cls):
    """Whether calls of such an actor run on an event loop: all of them do if one of its methods is a coroutine."""
    return any(inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member) for _, member in inspect.getmembers(cls))


class _MethodOptions:
    """What the extension asks of a method. Refers to no handle: a cycle would keep the actor alive."""

    __slots__ = ("given",)

    def __init__(self, given):
        self.given = given

    def _exported(self):
        return bytes(16), ()

    def _options_number(self):
        return _options.intern(self.given, method=True)


def find(name, namespace):
    """The handle of a named actor; ValueError if there is none."""
    # One that was made by another language tells nothing of its methods: then any is tried.
    return _handle(_manta.find_actor(name, namespace), _Description("", _AnyMethod()))


def _handle(native, untold):
    """With what its creator has told of its methods, or with `untold`."""
    told = native.description()
    return ActorHandle(native, untold if told is None else pickle.loads(told))


_class_here = None  # the user's, of the actor that this worker runs


def begins_here(runnable):
    """In the worker of an actor, before its constructor runs. For the extension."""
    global _class_here
    _class_here = runnable.__base__


def of_this_worker(pair):
    """A handle of the actor with this id, which runs here."""
    # Of one that another language has made by name nothing is told: then any method is tried.
    description = _Description("", _AnyMethod()) if _class_here is None else _Description.of(_class_here)
    return ActorHandle(_manta.import_actor(*pair), description)


class _AnyMethod(dict):
    def get(self, name, default=None):
        return ({}, None) if not (name.startswith("__") and name.endswith("__")) else default


class ActorMethod(_options.WithOptions):
    """A method of an actor. Call it with .remote(...)."""

    __slots__ = ("_native", "_class_name", "_name", "_given", "_shape", "_kinds", "remote", "__weakref__")

    def __init__(self, native, class_name, name, options, shape, kinds=None):
        """`kinds`: the exceptions that the call itself lists; those that the class lists for its method are marked there."""
        self._native = native
        self._class_name = class_name
        self._name = name
        self._given = options
        self._shape = shape
        self._kinds = kinds
        returns, most_ahead = _generators.returns_of(None, options, name)
        check, label = check_of(shape), options.get("name") or None
        qualified = f"{class_name.rpartition('.')[2]}.{name}" if class_name else name
        if kinds is None:
            self.remote = _manta.Caller(_METHOD, returns, name, _MethodOptions(options), native, check, most_ahead, label, qualified)
            return
        # The class as the actor's process has it does not know these exceptions: they travel with each call.
        least, most, fits = check
        check = least + 2, most + 2, fits and (lambda args, kwargs: fits(args[2:], kwargs))
        call = _manta.Caller(_METHOD, returns, _RETRYING, _MethodOptions(options), native, check, most_ahead, label, qualified)
        self.remote = functools.partial(call, name, kinds)

    def options(self, **options):
        _options.check("method", options)
        listed = options.get("retry_exceptions", self._kinds)
        kinds = tuple(listed) if isinstance(listed, (list, tuple)) else None
        return ActorMethod(self._native, self._class_name, self._name, {**self._given, **options}, self._shape, kinds)

    def __reduce__(self):
        self._native.travel()
        return _rebuild_method, (*self._native.id(), self._class_name, self._name, self._given, self._shape, self._kinds)

    def __call__(self, *args, **kwargs):
        raise TypeError(f"{self._name} is an actor's method and cannot be called here: {self._name}.remote(...) calls it there.")


def _rebuild_method(creator, serial, *given):
    return ActorMethod(_manta.import_actor(creator, serial), *given)


class ActorHandle:
    """Stands for an actor: handle.method.remote(...). May be passed around; the actor lives as long as handles to it do, unless detached."""

    def __init__(self, native, description):
        self._native = native
        self._description = description

    def __getattr__(self, name):
        if name.startswith("_manta") or name in ("_native", "_description"):
            raise AttributeError(name)
        known = self._description.methods.get(name)
        if known is None:
            if name not in ("__ray_ready__", "__ray_terminate__", "__ray_call__"):
                raise AttributeError(f"the actor's class {self._description.class_name} has no attribute '{name}'")
            known = {}, None
        made = ActorMethod(self._native, self._description.class_name, name, *known)
        self.__dict__[name] = made
        return made

    @property
    def _actor_id(self):
        from manta._ids import ActorID

        return ActorID(self._native.id())

    def __eq__(self, other):
        return isinstance(other, ActorHandle) and self._native.id() == other._native.id()

    def __hash__(self):
        return hash(self._native.id())

    def __repr__(self):
        return f"Actor({self._description.class_name}, {self._actor_id.hex()})"

    def __reduce__(self):
        self._native.travel()
        return _rebuild_handle, (*self._native.id(), self._description)


def _rebuild_handle(creator, serial, description):
    return ActorHandle(_manta.import_actor(creator, serial), description)
