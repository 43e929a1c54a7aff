"""What a bug report needs, as JSON: versions, machine, what doctor found, which findings a run has. No content.

Sentences of checks may quote where somebody's files are: paths below a home, of temporary files and of models become
`<path>`. Of a run only the slugs of its findings, their effects and their counts are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from punie.trace.doctor.check import CheckResult

if TYPE_CHECKING:
    from punie.trace.analysis.verdicts.assessment import Integrity

SCHEMA_VERSION: Final = 1
_PATH: Final = re.compile(r"(?<![\w/:])(?:~|\.{0,2}|[A-Za-z]:)(?:[/\\][^\s/\\'\":,;()]+){2,}[/\\]?")
_QUOTED_PATH: Final = re.compile(r"(['\"])[^'\"]*[/\\][^'\"]*\1")  # it may hold blanks
_URL: Final = re.compile(r"\w+://[^\s,)]+")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Bundle:
    """The parts; `run` holds the integrity findings of a run that the reporter named, None without one.

    `places` are paths and names that the reporter gave: they are replaced, whatever they look like.
    """

    versions: Mapping[str, str]
    machine: Mapping[str, str]
    checks: Sequence[CheckResult]
    run: Sequence[Integrity] | None = None
    places: Sequence[str] = ()

    def as_json(self) -> str:
        """The whole bundle, to be reviewed before it is sent."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "versions": dict(self.versions),
            "machine": dict(self.machine),
            "checks": [
                {
                    "subject": item.subject,
                    "status": item.status.value,
                    "found": without_places(item.observed, self.places),
                    "next_step": without_places(item.next_step, self.places) or None,
                }
                for item in self.checks
            ],
            "run_findings": None
            if self.run is None
            else [{"slug": item.slug, "effect": item.effect, "count": item.count} for item in self.run],
        }
        return json.dumps(document, indent=2) + "\n"


def without_places(text: str, places: Sequence[str] = ()) -> str:
    """`text` with `places`, paths and the addresses of other machines replaced by `<path>` and `<url>`."""
    for place in sorted(filter(None, places), key=len, reverse=True):
        text = re.sub(rf"(?<![\w.]){re.escape(place)}(?!\w)", "<path>", text)
    return _PATH.sub("<path>", _QUOTED_PATH.sub("<path>", _URL.sub(_url, text)))


def _url(match: re.Match[str]) -> str:
    host = match[0].partition("://")[2]
    return match[0] if host.startswith(_LOOPBACK) else "<url>"
