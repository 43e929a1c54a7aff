"""What Zipkin's tags, and Jaeger's after them, say of a span that OTLP has fields for: its status and its scope."""

from __future__ import annotations

from typing import Final

from punie.trace.model import Attributes, AttributeValue, StatusCode
from punie.trace.store.otlp.values import status_code

_ERROR: Final = "error"
_LANGFUSE_LEVEL: Final = "langfuse.observation.level"
_STATUS: Final = "otel.status_code"
_STATUS_MESSAGE: Final = "otel.status_description"
STATUS_TAGS: Final = (_ERROR, _STATUS, _LANGFUSE_LEVEL)
_SCOPE: Final = ("otel.scope.name", "otel.library.name")
_NO_ERROR: Final = ("false", "0", "no", "none")


def take_status(tags: dict[str, AttributeValue]) -> tuple[StatusCode, str]:
    """The status and its message, taken out of `tags`: the error tag decides, else what OpenTelemetry's SDK wrote."""
    code = status_code(tags.pop(_STATUS, None))
    message = str(tags.pop(_STATUS_MESSAGE, None) or "")
    error = tags.get(_ERROR)
    if not _is_error(error):
        return code, message
    del tags[_ERROR]
    return StatusCode.ERROR, message or ("" if error is True or error == "true" else str(error))


def has_error(attributes: Attributes) -> bool:
    """Whether attributes that came down from Zipkin or Jaeger as they were say that a span failed."""
    if _is_error(attributes.get(_ERROR)) or attributes.get(_LANGFUSE_LEVEL) == "ERROR":
        return True
    return _STATUS in attributes and status_code(attributes[_STATUS]) is StatusCode.ERROR


def take_scope(tags: dict[str, AttributeValue]) -> str:
    """The scope's name, taken out of `tags`."""
    found = [tags.pop(name) for name in _SCOPE if name in tags]
    return str(found[0]) if found else ""


def _is_error(value: AttributeValue) -> bool:
    """Text is the message of an error, or empty; only a plain no is none."""
    return value.strip().lower() not in _NO_ERROR if isinstance(value, str) else bool(value)
