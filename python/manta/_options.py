"""The options of tasks, actors and methods: which there are, what they accept, what they are by default."""

from __future__ import annotations

import os
import warnings

from manta import _nodes, _not_yet, runtime_env as environments

PRECISION = 10_000
# The runtime counts in 32 bits, amounts of resources in multiples of 1 / PRECISION up to 2^48, and a task's results in 16 bits.
_MOST = 2**31 - 1
MOST_UNITS = 2**48
_MOST_RESULTS = 2**16 - 1


def _amount(name, value):
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} has to be a number or None, not {value!r}")
    if not 0 <= value <= MOST_UNITS:
        raise ValueError(f"{name} has to be between 0 and 2^48, not {value!r}")
    if value > 0 and round(value * PRECISION) == 0:
        raise ValueError(f"{name} counts in steps of 0.0001, and {value!r} is less than one")


def _integer(least, most=_MOST):
    def check(name, value):
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} has to be a whole number or None, not {value!r}")
        if value < least:
            raise ValueError(f"{name} has to be {least} or more, not {value!r}")
        if value > most:
            raise ValueError(f"{name} has to be {most} or less, not {value!r}")

    return check


def _of(*types):
    def check(name, value):
        if value is not None and not isinstance(value, types):
            raise TypeError(f"{name} has to be {' or '.join(t.__name__ for t in types)} or None, not {value!r}")

    return check


def _name(name, value):
    _of(str)(name, value)
    if value is not None and "\0" in value:
        raise ValueError(f"{name} cannot have a zero byte in it: {value!r}")


def _namespace(name, value):
    _name(name, value)
    if value == "":
        raise ValueError(f"{name} cannot be empty: leave it out for the job's own")


def _resources(name, value):
    if value is None:
        return
    if not isinstance(value, dict):
        raise TypeError(f"{name} has to be a dict of names and amounts or None, not {value!r}")
    for key in ("CPU", "GPU"):
        if key in value:
            raise ValueError(f"resources cannot have '{key}', for which there is num_{key.lower()}s")
    for key, amount in value.items():
        if not isinstance(key, str):
            raise TypeError(f"{name} has to be a dict of names and amounts, and {key!r} in it is no name")
        _name("the name of a resource", key)
        _amount(f"resources[{key!r}]", amount)


def _num_returns(name, value):
    if isinstance(value, str):
        if value not in ("dynamic", "streaming"):
            raise ValueError(f"num_returns has to be None, 0 or more, 'dynamic' or 'streaming', not {value!r}")
        return
    _integer(0, _MOST_RESULTS)(name, value)


def _backpressure(name, value):
    _integer(-1)(name, value)
    if value == 0:
        raise ValueError(f"{name} has to be 1 or more, or -1 for none, not 0")


def _concurrency_groups(name, value):
    if value in (None, []):
        return
    if not isinstance(value, dict):
        raise TypeError(f"{name} has to be a dict of names and numbers of threads, such as {{'io': 2}}, or None, not {value!r}")
    for group, threads in value.items():
        if not isinstance(group, str):
            raise TypeError(f"{name} has to be a dict of names and numbers of threads, and {group!r} in it is no name")
        _name("the name of a concurrency group", group)
        if threads is None:
            raise TypeError(f"{name}[{group!r}] has to be a number of threads, not None")
        _integer(1)(f"{name}[{group!r}]", threads)


def _retry_exceptions(name, value):
    if value is None or isinstance(value, bool):
        return
    if not isinstance(value, (list, tuple)) or not all(isinstance(t, type) and issubclass(t, BaseException) for t in value):
        raise TypeError(f"{name} has to be True, False, or a list or tuple of exception classes, not {value!r}")


def _lifetime(name, value):
    _of(str)(name, value)
    if value not in (None, "detached", "non_detached"):
        raise ValueError(f"{name} has to be None, 'detached' or 'non_detached', not {value!r}")


def _environment(name, value):
    if value is not None:
        environments.check(value)


def _placement_group(name, value):
    from manta.util.placement_group import PlacementGroup

    if value is not None and value != "default" and not isinstance(value, PlacementGroup):
        raise TypeError(f"{name} has to be a PlacementGroup, 'default' or None, not {value!r}")


# name: (check, of tasks, of actors, of methods)
TABLE = {
    "num_cpus": (_amount, True, True, False),
    "num_gpus": (_amount, True, True, False),
    "memory": (_amount, True, True, False),
    "resources": (_resources, True, True, False),
    "accelerator_type": (_name, True, True, False),
    "label_selector": (_nodes.check_selector, True, True, False),
    "fallback_strategy": (_nodes.check_fallbacks, True, True, False),
    "name": (_name, True, True, True),
    "runtime_env": (_environment, True, True, False),
    "scheduling_strategy": (_nodes.check_strategy, True, True, False),
    "placement_group": (_placement_group, True, True, False),
    "placement_group_bundle_index": (_integer(-1), True, True, False),
    "placement_group_capture_child_tasks": (_of(bool), True, True, False),
    "object_store_memory": (_amount, True, True, False),
    "enable_task_events": (_of(bool), True, True, True),
    "_labels": (_of(dict), True, True, False),
    "_metadata": (_of(dict), True, True, False),
    "max_calls": (_integer(0), True, False, False),
    "max_retries": (_integer(-1), True, False, False),
    "num_returns": (_num_returns, True, False, True),
    "retry_exceptions": (_retry_exceptions, True, False, True),
    "_generator_backpressure_num_objects": (_backpressure, True, False, True),
    "concurrency_groups": (_concurrency_groups, False, True, False),
    "concurrency_group": (_name, False, False, True),
    "enable_tensor_transport": (_of(bool), False, True, False),
    "tensor_transport": (_of(str), False, False, True),
    "lifetime": (_lifetime, False, True, False),
    "max_concurrency": (_integer(1), False, True, False),
    "max_restarts": (_integer(-1), False, True, False),
    "max_task_retries": (_integer(-1), False, True, True),
    "max_pending_calls": (_integer(-1), False, True, False),
    "namespace": (_namespace, False, True, False),
    "get_if_exists": (_of(bool), False, True, False),
    "allow_out_of_order_execution": (_of(bool), False, True, False),
}

# Accepted in Ray, and not there yet: other values than these raise.
NOT_YET = {
    "enable_tensor_transport": (None, False),
    "tensor_transport": None,
    "_labels": (None, {}),
}

_COLUMN = {"task": 1, "actor": 2, "method": 3}


def check(kind, options, in_options=False):
    """Raises for what is wrong in `options` of a "task", "actor" or "method"; `in_options`: given to .options()."""
    for name, value in options.items():
        entry = TABLE.get(name)
        if entry is None or not entry[_COLUMN[kind]]:
            known = sorted(key for key, row in TABLE.items() if row[_COLUMN[kind]])
            raise ValueError(f"{kind}s have no option '{name}'; there are: {', '.join(known)}")
        entry[0](name, value)
        allowed = NOT_YET.get(name, ())
        if name in NOT_YET and value is not None and (allowed is None or value not in allowed):
            raise _not_yet.error(f"The option {name}")
    _check_placement_group(options)
    if in_options and kind == "task" and options.get("max_calls") is not None:
        raise ValueError("max_calls belongs to the function: it cannot be given in .options()")
    if in_options and kind == "actor" and options.get("concurrency_groups") is not None:
        raise ValueError("concurrency_groups belong to the class: they cannot be given in .options()")
    if kind == "task" and options.get("object_store_memory") is not None:
        raise ValueError("object_store_memory is no option of tasks")
    if kind == "actor" and options.get("object_store_memory") is not None:
        warnings.warn("the option object_store_memory is deprecated and has no effect: what an actor stores is not reserved for it",
                      DeprecationWarning, stacklevel=3)
    if kind == "actor" and options.get("name") == "":
        raise ValueError("an actor's name cannot be empty")
    if options.get("get_if_exists") and not options.get("name"):
        raise ValueError("get_if_exists needs the actor's name")


# ---- Placement groups

_OF_GROUPS = ("scheduling_strategy", "placement_group", "placement_group_bundle_index", "placement_group_capture_child_tasks")
_NO_GROUP = (0, 0, -1, False)
# What an actor's creation asks of its worker.
OF_CREATION = ("num_cpus", "num_gpus", "memory", "resources", "accelerator_type", "runtime_env", "label_selector", "fallback_strategy",
               *_OF_GROUPS)


def _names_a_group(strategy):
    from manta.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    return isinstance(strategy, PlacementGroupSchedulingStrategy)


def _check_placement_group(options):
    if options.get("placement_group") in (None, "default"):
        return
    _check_both(options.get("scheduling_strategy"), options["placement_group"])
    warnings.warn("the option placement_group is deprecated: use scheduling_strategy=PlacementGroupSchedulingStrategy(group, index)",
                  DeprecationWarning, stacklevel=4)


def placement_of(options):
    """What intern_options takes: (creator, serial, bundle index, whether children are captured); None: as the task that submits."""
    strategy, group, index, captures = (options.get(name) for name in _OF_GROUPS)
    _check_both(strategy, group)
    index = -1 if index is None else index
    if _names_a_group(strategy):
        group = strategy.placement_group
        index = strategy.placement_group_bundle_index
        captures = strategy.placement_group_capture_child_tasks
    elif group in (None, "default"):
        if index != -1:
            raise ValueError(f"placement_group_bundle_index is {index}, but there is no placement group: leave it out, or name the group")
        if strategy == "DEFAULT" or _nodes.is_about_nodes(strategy) or captures is False:
            return _NO_GROUP
        if not captures:
            return None
        from manta import _native

        here = _native.context()["placement_group"]
        return None if here == (0, 0) else (*here, -1, True)
    if group.is_empty:
        if index != -1:
            raise ValueError(f"the bundle index {index} is for a placement group, and the empty group stands for none")
        return _NO_GROUP
    if isinstance(index, bool) or not isinstance(index, int) or not -1 <= index <= _MOST:
        raise ValueError(f"the placement group bundle index {index!r} is out of range: it counts from 0, and -1 stands for any bundle")
    return (*group.id.pair(), index, bool(captures))


def _check_both(strategy, group):
    if group not in (None, "default") and strategy is not None:
        raise ValueError("a placement group is given by scheduling_strategy or by placement_group, not by both: use "
                         "PlacementGroupSchedulingStrategy alone")


# As manta_task_options.retry_exceptions: none, all, or those that the task marks (_retries).
_LISTED = 2


class WithOptions:
    """What is called by .remote(...), and by .options(...).remote(...) with other options."""

    __slots__ = ()

    def bind(self, *args, **kwargs):
        raise NotImplementedError("Graphs (.bind) are not there yet in Manta.")

    def _remote(self, args=(), kwargs=None, **options):
        return self.options(**options).remote(*args, **(kwargs or {}))


def default_retries():
    """Of tasks, if the environment says so."""
    given = os.environ.get("RAY_TASK_MAX_RETRIES")
    if not given:
        return None
    try:
        retries = int(given)
    except ValueError:
        raise ValueError(f"RAY_TASK_MAX_RETRIES has to be a number, not {given!r}") from None
    retries = max(retries, -1)
    TABLE["max_retries"][0]("RAY_TASK_MAX_RETRIES", retries)
    return retries


def intern(options, method=False):
    """The number by which calls name these options."""
    from manta import _environments, _native

    retry = options.get("retry_exceptions")
    if isinstance(retry, (list, tuple)):
        retry = _LISTED
    retries = options.get("max_task_retries") if method else options.get("max_retries")
    given = {key: options.get(key) for key in ("num_cpus", "num_gpus", "memory")}
    resources = dict(options.get("resources") or {})
    if options.get("accelerator_type"):
        # A little of what nodes with such a device have one of.
        resources["accelerator_type:" + options["accelerator_type"]] = 0.001
    group = options.get("concurrency_group")
    environment = _environments.name_of(environments.check(options["runtime_env"])) if options.get("runtime_env") else None
    placement = None if method else placement_of(options)
    nodes = None if method else _nodes.nodes_of(options)
    of_calls = retries is not None or retry or group is not None
    named = environment is not None or placement is not None or nodes is not None or resources or of_calls
    if not named and not any(v is not None for v in given.values()):
        return 0
    return _native.intern_options(given["num_cpus"], given["num_gpus"], given["memory"], resources, retries, int(retry or 0), group,
                                  environment, placement, nodes)
