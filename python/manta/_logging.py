"""Python's logging in drivers and workers (ray.LoggingConfig, and the logging arguments of init)."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys

from manta import _native

_ENCODINGS = ("TEXT", "JSON")
_FORMAT = "%(asctime)s\t%(levelname)s %(filename)s:%(lineno)s -- %(message)s"
_IDS = ("job_id", "worker_id", "node_id", "actor_id", "task_id", "task_name", "actor_name")
# What every record has, and so no `extra` of the user's.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@dataclasses.dataclass
class LoggingConfig:
    """How the root logger of the driver and of all its workers writes: `encoding` TEXT or JSON, from `log_level` on.
    `additional_log_standard_attrs`: attributes of logging's records that are written, too."""

    encoding: str = "TEXT"
    log_level: str = "INFO"
    additional_log_standard_attrs: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        if self.encoding not in _ENCODINGS:
            raise ValueError(f"encoding has to be one of {', '.join(_ENCODINGS)}, not {self.encoding!r}")
        level_of(self.log_level)
        self.additional_log_standard_attrs = list(self.additional_log_standard_attrs or [])
        for name in self.additional_log_standard_attrs:
            if name not in _STANDARD:
                raise ValueError(f"additional_log_standard_attrs: records of logging have no attribute {name!r}")

    def _apply(self):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter((_JsonFormatter if self.encoding == "JSON" else _TextFormatter)(self.additional_log_standard_attrs))
        root = logging.getLogger()
        root.handlers = [handler]
        root.setLevel(level_of(self.log_level))


def level_of(level):
    """A level of logging by its name in any case, or by its number."""
    if isinstance(level, int) and not isinstance(level, bool):
        return level
    number = logging.getLevelName(level.upper()) if isinstance(level, str) else None
    if not isinstance(number, int):
        raise ValueError(f"{level!r} is no level of logging: there are DEBUG, INFO, WARNING, ERROR and CRITICAL")
    return number


def _ids():
    """Of the code that logs, those that there are."""
    if not _native.is_initialized():
        return {}
    from manta.runtime_context import RuntimeContext

    context = RuntimeContext()
    ids = {name: getattr(context, "get_" + name)() for name in _IDS}
    return {name: value for name, value in ids.items() if value}


def _extra_of(record):
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class _TextFormatter(logging.Formatter):
    def __init__(self, attributes):
        super().__init__(_FORMAT)
        self._attributes = attributes

    def format(self, record):
        fields = {**_ids(), **{name: getattr(record, name, None) for name in self._attributes}, **_extra_of(record)}
        return super().format(record) + "".join(f" {name}={value}" for name, value in fields.items())


class _JsonFormatter(logging.Formatter):
    def __init__(self, attributes):
        super().__init__()
        self._attributes = attributes

    def format(self, record):
        fields = {"asctime": self.formatTime(record), "levelname": record.levelname, "message": record.getMessage(),
                  "filename": record.filename, "lineno": record.lineno, "process": record.process, **_ids(),
                  **{name: getattr(record, name, None) for name in self._attributes}, **_extra_of(record),
                  "timestamp_ns": int(record.created * 1e9)}
        if record.exc_info:
            fields["exc_text"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def configure(level, form):
    """The loggers `ray` and `manta`, in which libraries for Ray log."""
    number = level_of(level)
    for name in ("ray", "manta"):
        logger = logging.getLogger(name)
        logger.setLevel(number)
        ours = [handler for handler in logger.handlers if getattr(handler, "_of_manta", False)]
        for handler in ours:
            logger.removeHandler(handler)
        handler = logging.StreamHandler(sys.stderr)
        handler._of_manta = True
        handler.setFormatter(logging.Formatter(form or _FORMAT))
        logger.addHandler(handler)
        logger.propagate = False
