"""Logs: one line of logfmt each, with what belongs together marked, and no secret in it.

Bind what a stretch of work belongs to with `structlog.contextvars.bound_contextvars(turn=..., conversation=...)`; lines
that other libraries write meanwhile carry it, too.
"""

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import Processor

from lar.operations.redaction import Redactor
from lar.operations.settings import LoggingSettings

QUIET = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "aiohttp",
    "openai",
    "uvicorn",
    "websockets",
    "asyncio",
    "urllib3",
    "alembic",
)
"""Libraries of which only warnings are logged, unless the level is debug."""

_OURS = "lar."
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_BAD_KEY = re.compile(r"[\s=\"\x00-\x20]+")

Event = MutableMapping[str, Any]


def set_up(settings: LoggingSettings, folder: Path | None, secrets: Iterable[str]) -> None:
    """Send structlog and the standard library's loggers to standard error and `folder`/lar.log, as configured.

    May be called again; the last call holds. `folder` is made if it is missing; None: no file.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper("iso", utc=True, key="ts"),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            Plain(Redactor(secrets)),
            structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"], bool_as_flag=False),
        ],
    )
    _route(_handlers(settings, folder), formatter, settings.level.upper())


class Plain:
    """Makes every key and value plain text on one line, without secrets."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact

    def __call__(self, _logger: object, _method: str, event: Event) -> Event:
        """The event in plain text."""
        return {_BAD_KEY.sub("_", str(key)): self._plain(value) for key, value in event.items()}

    def _plain(self, value: object) -> str:
        text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
        return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", self._redact(text))


def _handlers(settings: LoggingSettings, folder: Path | None) -> list[logging.Handler]:
    handlers: list[logging.Handler] = []
    if settings.stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    if settings.file and folder:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        size, keep = settings.max_bytes, settings.keep
        handlers.append(
            RotatingFileHandler(folder / "lar.log", maxBytes=size, backupCount=keep, delay=True, encoding="utf-8")
        )
    return handlers


def _route(handlers: list[logging.Handler], formatter: logging.Formatter, level: str) -> None:
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if (handler.name or "").startswith(_OURS)]:
        root.removeHandler(old)
        old.close()
    for number, handler in enumerate(handlers):
        handler.name = f"{_OURS}{number}"
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(level if level == "DEBUG" else "WARNING")
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a line that cannot be written must not print its raw arguments
