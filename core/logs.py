"""Structured logs: one event name, facts as fields; once when something breaks, once when back."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from core.settings import LoggingSettings


def configure_logging(settings: LoggingSettings) -> None:
    """Send every log, ours and libraries', to standard error in one format."""
    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for chatty in ("httpx", "httpcore", "uvicorn.access", "transitions", "amqtt"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger called `name`."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


class Outage:
    """Log once when something becomes unavailable and once when it is back.

    Args:
        log: where to write.
        what: the thing, as an event prefix such as `store`.
    """

    def __init__(self, log: structlog.stdlib.BoundLogger, what: str) -> None:
        self._log = log
        self._what = what
        self.reason: str | None = None
        """Why it is unavailable now, or None when it is available."""

    def down(self, reason: str, **facts: object) -> None:
        """Say that it is unavailable; logged only when it was available before, with the facts."""
        if self.reason is None:
            self._log.warning(f"{self._what}_unavailable", reason=reason, **facts)
        self.reason = reason

    def up(self) -> None:
        """Say that it is available; logged only when it was unavailable before."""
        if self.reason is not None:
            self._log.info(f"{self._what}_back", after=self.reason)
        self.reason = None
