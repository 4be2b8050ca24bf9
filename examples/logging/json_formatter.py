"""Writes each log record as one line of JSON, with the fields of asgi-oidc; copy it into your project."""

import json
import logging
from datetime import UTC, datetime
from typing import Any


class JsonFormatter(logging.Formatter):
    """Formats records as JSON, for systems that search logs by field."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; line breaks in texts are escaped."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in ("event", "oidc", "audit"):  # what asgi-oidc, and the function of `on_event` in app.py, add
            if name in record.__dict__:
                line[name] = record.__dict__[name]
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
