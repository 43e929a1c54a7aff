"""How our code runs inside the server: never at the cost of an answer."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Final

_logger: Final = logging.getLogger(__name__)


class _Careful:
    """What we do inside the server must not cost an answer: an error of ours is logged, and the request goes on."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        _logger.error("what this span would have recorded is lost", exc_info=error)
        return True


careful: Final = _Careful()
