"""The one style sheet and the one script of every page, and the policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from punie.trace.report.writers.html.markup import Markup

_PACKAGE: Final = __package__


@cache
def style() -> Markup:
    """The style sheet, as an element."""
    return Markup(f"<style>{_text('page.css')}</style>")


@cache
def script() -> Markup:
    """The script, as an element."""
    return Markup(f"<script>{_text('page.js')}</script>")


@cache
def policy() -> str:
    """A Content-Security-Policy: this style and this script, by their digests; no other, and nothing is loaded."""
    style_hash, script_hash = _digest("page.css"), _digest("page.js")
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _text(name: str) -> str:
    return files(_PACKAGE).joinpath(name).read_text("utf-8").strip()


def _digest(name: str) -> str:
    return base64.b64encode(hashlib.sha256(_text(name).encode()).digest()).decode()
