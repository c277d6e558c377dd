"""Which nodes do for a task, an actor or a bundle: label selectors and strategies, checked, and as the text that the runtime reads
(manta_task_options.nodes in manta_c.h)."""

from __future__ import annotations

from manta import _native
from manta.util import scheduling_strategies as strategies

_ANY = "any"
_NODE_ID = "ray.io/node-id"


def check_labels(name, labels):
    """Of a node that init starts."""
    if labels is None:
        return
    if not isinstance(labels, dict):
        raise TypeError(f"{name} has to be a dict of names and values, such as {{'zone': 'eu'}}, not {labels!r}")
    for key, value in labels.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"{name} has {key!r}: {value!r}: names and values of labels are strings")
        _native.check_label(key, value)


def check_selector(name, selector):
    """TypeError or ValueError for what is no label selector."""
    if selector is None:
        return
    if not isinstance(selector, dict):
        raise TypeError(f"{name} has to be a dict of labels and conditions, such as {{'zone': 'in(eu, us)'}}, or None, not {selector!r}")
    for label, condition in selector.items():
        if not isinstance(label, str) or not isinstance(condition, str):
            raise TypeError(f"{name} has {label!r}: {condition!r}: labels and conditions are strings, such as 'eu', '!eu' or 'in(eu, us)'")
        _check(name, label, condition)


def check_fallbacks(name, fallbacks):
    if fallbacks is None:
        return
    if not isinstance(fallbacks, list):
        raise TypeError(f"{name} has to be a list such as [{{'label_selector': {{'zone': 'us'}}}}], or None, not {fallbacks!r}")
    for index, one in enumerate(fallbacks):
        if not isinstance(one, dict):
            raise ValueError(f"{name}[{index}] has to be a dict with a 'label_selector', not {one!r}")
        if set(one) != {"label_selector"}:
            raise ValueError(f"{name}[{index}] has {', '.join(map(repr, one)) or 'nothing'}: it has to have a 'label_selector', and nothing else")
        if one["label_selector"] is None:
            raise ValueError(f"{name}[{index}]['label_selector'] is None: {{}} stands for any node")
        check_selector(f"{name}[{index}]['label_selector']", one["label_selector"])


def check_strategy(name, strategy):
    if strategy is None or isinstance(strategy, strategies.PlacementGroupSchedulingStrategy):
        return
    if isinstance(strategy, str):
        if strategy not in ("DEFAULT", "SPREAD"):
            raise ValueError(f"{name} has to be 'DEFAULT', 'SPREAD' or one of manta.util.scheduling_strategies, not {strategy!r}")
        return
    if not isinstance(strategy, (strategies.NodeAffinitySchedulingStrategy, strategies.NodeLabelSchedulingStrategy)):
        raise TypeError(f"{name} has to be None, 'DEFAULT', 'SPREAD' or one of manta.util.scheduling_strategies, not {strategy!r}")
    _of_strategy(name, strategy)


def check_bundle_selectors(name, selectors, count):
    if selectors is None:
        return
    if not isinstance(selectors, list) or len(selectors) != count:
        raise ValueError(f"{name} has to be a list with a dict for each of the {count} bundles, not {selectors!r}")
    for index, selector in enumerate(selectors):
        if not isinstance(selector, dict):
            raise ValueError(f"{name}[{index}] has to be a dict of labels and conditions ({{}}: any node), not {selector!r}")
        check_selector(f"{name}[{index}]", selector)


def text_of(selector):
    """The conditions of a selector that was checked."""
    return " & ".join(f"{label}={condition}" for label, condition in (selector or {}).items()) or _ANY


def nodes_of(options):
    """What intern_options takes, of options that were checked; None: any node."""
    strategy = options.get("scheduling_strategy")
    selectors = [text_of(options.get("label_selector"))]
    selectors += [text_of(one["label_selector"]) for one in options.get("fallback_strategy") or ()]
    how, alternatives = _of_strategy("scheduling_strategy", strategy)
    # Few have any.
    if not how and alternatives == selectors == [_ANY]:
        return None
    text = " | ".join(_both(mine, selector) for mine in alternatives for selector in selectors)
    return f"{how}: {text}" if how else text


def is_about_nodes(strategy):
    """Whether the strategy says where to run; one that does not leaves that to the task that submits."""
    return strategy == "SPREAD" or isinstance(strategy, (strategies.NodeAffinitySchedulingStrategy, strategies.NodeLabelSchedulingStrategy))


def _of_strategy(name, strategy):
    """The option that goes before, and the alternatives."""
    if strategy == "SPREAD":
        return "spread", [_ANY]
    if isinstance(strategy, strategies.NodeAffinitySchedulingStrategy):
        _check(name, _NODE_ID, strategy.node_id)
        here = f"{_NODE_ID}={strategy.node_id}"
        if strategy.soft:
            return "" if strategy._spill_on_unavailable else "patient", [here, _ANY]
        return "fail-now" if strategy._fail_on_unavailable else "fail", [here]
    if isinstance(strategy, strategies.NodeLabelSchedulingStrategy):
        hard, soft = (_of_conditions(f"{name}.{part}", getattr(strategy, part)) for part in ("hard", "soft"))
        return "", [hard] if soft == _ANY else [_both(hard, soft), hard]
    return "", [_ANY]


def _of_conditions(name, conditions):
    selector = {}
    for label, condition in conditions.items():
        if isinstance(condition, strategies.In):
            text = f"in({', '.join(condition.values)})"
        elif isinstance(condition, strategies.NotIn):
            text = f"!in({', '.join(condition.values)})"
        else:
            text = "exists()" if isinstance(condition, strategies.Exists) else "!exists()"
        _check(name, label, text)
        selector[label] = text
    return text_of(selector)


def _both(a, b):
    if a == _ANY:
        return b
    return a if b == _ANY else f"{a} & {b}"


def _check(name, label, condition):
    try:
        _native.check_label_condition(label, condition)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
