"""What a server's log says of its spans: that it writes none, or that some could not be written."""

from __future__ import annotations

from io import TextIOWrapper
from pathlib import Path
from typing import Final

from punie.trace import semconv
from punie.trace.errors import CHECK_PATH, InputError
from punie.trace.model import SourceNote
from punie.trace.store.files.regular import open_regular

SERVER_LOG: Final = "server.log"
NOT_TRACED: Final = "server-not-traced"
SPANS_LOST: Final = "spans-lost"
TOOLS_IGNORED: Final = "tools-ignored"
_SLUGS: Final = {
    semconv.LOG_NOT_TRACED: NOT_TRACED,
    semconv.LOG_SPANS_LOST: SPANS_LOST,
    semconv.LOG_TOOLS_IGNORED: TOOLS_IGNORED,
}


def notes_of(folder: Path) -> tuple[SourceNote, ...]:
    """A note for each thing that `server.log` in `folder` says of spans; none if there is no log.

    Raises `InputError` if it can't be read.
    """
    log = folder / SERVER_LOG
    counts: dict[tuple[str, str], int] = {}
    try:
        with TextIOWrapper(open_regular(log), encoding="utf-8", errors="replace") as lines:
            for line in lines:
                for marker, slug in _SLUGS.items():
                    if marker in line:
                        reason = marker if slug == TOOLS_IGNORED else line.partition(marker)[2].strip()
                        key = (slug, reason)
                        counts[key] = counts.get(key, 0) + 1
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(f"{log}: can't be read: {error.strerror or error}", remedy=CHECK_PATH) from error
    return tuple(SourceNote(slug, f"{log.name}: {why}", count) for (slug, why), count in counts.items())
