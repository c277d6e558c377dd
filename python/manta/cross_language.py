"""Functions and classes of other languages (ray.cross_language). C++'s are called by the names that MANTA_REMOTE or RAY_REMOTE gives them,
in the libraries of the job's code_search_path, which every worker has loaded."""

from __future__ import annotations

from manta import _manta, _not_yet, exceptions
from manta.actor import _AnyMethod, ActorClass, _Description
from manta.remote_function import RemoteFunction

__all__ = [*_not_yet.declare(globals(), functions=["java_function", "java_actor_class"], instead="Manta has no Java"), "cpp_function",
           "cpp_actor_class"]


def cpp_function(function_name):
    """The C++ function of that name, to be called by .remote(...) with what has a value in C++: numbers, text, containers of them."""
    return RemoteFunction(_CppFunction(_checked("function_name", function_name)), {})


def cpp_actor_class(create_function_name, class_name):
    """The C++ class whose actors the function `create_function_name` makes; their methods are those that are named `class_name`::METHOD."""
    names = _checked("create_function_name", create_function_name), _checked("class_name", class_name)
    return _CppActorClass(type(class_name, (_CppActor,), {"_names": names, "__module__": __name__, "__doc__": f"C++'s {class_name}."}), {})


def _checked(what, name):
    if not isinstance(name, str) or not name:
        raise TypeError(f"{what} is the name of C++ code, a str, not {name!r}")
    return name


def _call(name, instance, arguments):
    try:
        failure, value = _manta.call_cpp(name, instance, arguments)
    except (TypeError, ValueError, OverflowError, UnicodeError) as error:
        raise exceptions.CrossLanguageError(_with_failed_libraries(str(error))) from None
    if failure is not None:
        kind, message, stack = failure
        raise exceptions.CrossLanguageError(f"the C++ function {name} has thrown {kind or 'an exception'}: {message}\n{stack}".rstrip())
    return value


def _with_failed_libraries(message):
    from manta import _libraries

    return "\n".join([message, *(f"could not load {path}: {why}" for path, why in _libraries.failed.items())])


class _CppFunction:
    """What runs as the task."""

    def __init__(self, name):
        self._name = name
        self.__name__ = self.__qualname__ = name
        self.__doc__ = f"C++'s {name}."

    def __call__(self, *arguments):
        return _call(self._name, None, arguments)

    def __reduce__(self):
        return _CppFunction, (self._name,)


class _CppActor:
    """What lives in the actor's process: an instance of C++."""

    _names = ("", "")

    def __init__(self, *arguments):
        self._instance = _call(self._names[0], None, arguments)

    def __getattr__(self, method):
        if method.startswith("_"):
            raise AttributeError(method)
        name = f"{self._names[1]}::{method}"

        def call(*arguments, **named):
            if named:
                raise TypeError(f"the C++ function {name} takes no arguments by name: {', '.join(named)}")
            return _call(name, self._instance, arguments)

        return call


class _CppActorClass(ActorClass):
    """An actor's class of which only C++ knows the methods."""

    def __init__(self, cls, options, exported=None):
        super().__init__(cls, options, exported)
        self._description = _Description(cls.__name__, _AnyMethod())

    def options(self, **options):
        made = super().options(**options)
        return _CppActorClass(made._class, made._given, made._exported_class)

    def __reduce__(self):
        return _of_names, (self._class._names, self._given)


def _of_names(names, options):
    return _CppActorClass(cpp_actor_class(*names)._class, options)
