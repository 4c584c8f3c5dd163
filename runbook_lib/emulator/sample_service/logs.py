"""Write structured log lines (one JSON object each) to stdout, as Cloud Run's log agent reads them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_logger = logging.getLogger("sample-agent")


def set_up() -> None:
    """Send everything, the libraries' warnings too, to stdout as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _logger.setLevel(logging.INFO)


def info(message: str, **fields: object) -> None:
    """Log something normal."""
    _logger.info(message, extra={"fields": fields})


def warning(message: str, **fields: object) -> None:
    """Log something that one user noticed."""
    _logger.warning(message, extra={"fields": fields})


def error(message: str, **fields: object) -> None:
    """Log something that needs an engineer."""
    _logger.error(message, extra={"fields": fields})


def failure(message: str, **fields: object) -> None:
    """Log an unexpected exception, with its traceback; call it while handling one."""
    _logger.exception(message, extra={"fields": fields})


def critical(message: str, **fields: object) -> None:
    """Log the reason why the process ends."""
    _logger.critical(message, extra={"fields": fields})


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "severity": record.levelname,  # Python's level names are Cloud Logging's severities
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)
