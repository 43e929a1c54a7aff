"""The site: `uv run --group docs python -m sphinx -W -b html docs site`.

Pages are Markdown that also reads well in the repository. What describes the command line is made from the code when
the site is built, so it can't differ from it.
"""

from __future__ import annotations

import posixpath
import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

from command_line import reference

project = "punie.trace"
author = "the punie.trace authors"
copyright = "the punie.trace authors, Apache-2.0"  # noqa: A001 - Sphinx's name
release = installed_version("punie-trace")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["site"]
html_theme = "furo"
html_title = "punie.trace"
html_copy_source = False
html_show_sphinx = False
myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 4
nitpicky = False  # the API's annotations name types of other packages, which have no page here
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True

_VERBS_MARK = "<!-- the verbs, made from the code -->"
_ROOT_PAGES = {
    "ARCHITECTURE.md": "project/architecture",
    "CHANGELOG.md": "project/changelog",
    "CODE_OF_CONDUCT.md": "project/code-of-conduct",
    "CONTRIBUTING.md": "project/contributing",
    "METHODOLOGY.md": "methodology",
    "SECURITY.md": "project/security",
}
_ONLY_IN_REPOSITORY = ("LICENSE",)


def _read(_: Sphinx, page: str, source: list[str]) -> None:
    """Sphinx's `source-read`: a page of the repository's root is shown as it is, the command line gets its verbs."""
    names = [name for name, at in _ROOT_PAGES.items() if at == page]
    if names:
        source[0] = _relinked((Path(__file__).parents[1] / names[0]).read_text(encoding="utf-8"), page)
    if page == "reference/command-line":
        if _VERBS_MARK not in source[0]:
            raise ValueError(f"docs/{page}.md: no line {_VERBS_MARK}")
        source[0] = source[0].replace(_VERBS_MARK, reference())


def _relinked(text: str, page: str) -> str:
    """Links that start at the repository's root, as the site has them."""

    def link(match: re.Match[str]) -> str:
        words, target = match.groups()
        if target in _ONLY_IN_REPOSITORY:
            return str(words)
        at = _ROOT_PAGES[target] + ".md" if target in _ROOT_PAGES else target.removeprefix("docs/")
        return f"[{words}]({posixpath.relpath(at, posixpath.dirname(page) or '.')})"

    return re.sub(r"\[([^\]]+)\]\((?!\w+:)([^)\s]+)\)", link, text)


def setup(app: Sphinx) -> None:
    """Sphinx's own hook."""
    app.connect("source-read", _read)
