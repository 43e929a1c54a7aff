"""Where reports go: to standard output or to a file, in any format. The only place that writes one."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punie.trace.console.standard_streams import (
    colored,
    on_terminal,
    write_err,
    write_out_bytes,
    write_out_readable,
    write_out_whole,
)
from punie.trace.errors import OutputError, PunieTraceError, UsageError
from punie.trace.manual import FINDINGS, page, page_on_site
from punie.trace.report.explained import explained
from punie.trace.report.formats import (
    HTML,
    MARKDOWN,
    TEXT,
    Format,
    Material,
    by_ending,
    by_name,
    refuse_unfit,
)
from punie.trace.report.page import PLAIN_WIDTH, Page
from punie.trace.store.files.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from punie.trace.commands.options import OutputOptions
    from punie.trace.report.document import Document

STANDARD_OUTPUT: Final = Path("-")
_WIDTHS: Final = (60, 120)  # narrower than this tables break, wider than this the eye loses the line


@dataclass(frozen=True, slots=True)
class Output:
    """One report's destination: a file or, if `path` is None, standard output. `force` lets it replace a file.

    `gates` are the verdicts that the exit code depends on. `opens`: the file is for a browser, at once.
    `explains`: with what its words mean.
    """

    format: Format
    path: Path | None = None
    force: bool = False
    gates: tuple[str, ...] = ()
    opens: bool = False
    explains: bool = False

    @classmethod
    def of(
        cls,
        options: OutputOptions,
        has: Collection[Material] = tuple(Material),
        gates: tuple[str, ...] = (),
    ) -> Output:
        """The destination that the user named; the format is the named one, else what the ending means, else text.

        `has` is what the report will have. Raises UsageError for an unknown ending, for a format that this report
        can't be written in and for what can't be written, before anybody waits for the report.
        """
        path = None if options.output == STANDARD_OUTPUT else options.output
        if path is not None:
            refuse_unwritable(path, force=options.force)
        chosen = _format(options, path)
        refuse_unfit(chosen, has)
        _refuse_terminal(chosen, path)
        return cls(chosen, path, options.force, gates, options.open, options.explain)

    def write(self, document: Document) -> None:
        """Write it whole or not at all; what can't be a file is printed instead, since it may have taken hours.

        Raises UsageError if the file has come or its folder has gone meanwhile, OutputError, both after printing.
        """
        if self.explains:
            document = explained(document)
        if self.path is None and not self.opens:
            self._print(document, self.format)
            return
        made = self.format.byte_pieces(
            document, Page(gates=self.gates, manual=partial(page_on_site, FINDINGS))
        )
        try:
            path = _in_temporary_file(b"".join(made)) if self.path is None else self._in_file(self.path, made)
        except PunieTraceError:
            self._print(document, TEXT if on_terminal() else self.format)
            raise
        write_err(f"Wrote {path}\n")
        if self.opens:
            open_in_browser(path)

    def _in_file(self, path: Path, made: Iterable[bytes]) -> Path:
        refuse_unwritable(path, force=self.force)
        write_whole(path, made)
        return path

    def _print(self, document: Document, chosen: Format) -> None:
        if chosen.is_binary:
            write_out_bytes(chosen.write_bytes(document))
        else:
            write = write_out_readable if chosen in (TEXT, MARKDOWN) else write_out_whole
            made = Page(terminal_width(), colored(), self.gates, partial(page, FINDINGS))
            for piece in chosen.pieces(document, made):
                write(piece)


def _in_temporary_file(made: bytes) -> Path:
    """A page for the browser. Raises OutputError."""
    try:
        with tempfile.NamedTemporaryFile(prefix="punie-trace-", suffix=".html", delete=False) as file:
            file.write(made)
    except OSError as error:
        raise OutputError(
            f"a temporary file can't be written: {error.strerror or error}",
            remedy="Make room, or name another folder in TMPDIR.",
        ) from error
    return Path(file.name)


def terminal_width() -> int:
    """Columns for text on standard output: the terminal's within reason; 80 where it isn't one."""
    if not on_terminal():
        return PLAIN_WIDTH
    least, most = _WIDTHS
    return min(max(shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns, least), most)


def open_in_browser(path: Path) -> None:
    """Show a file; where there is no browser, say so: its path is written by then."""
    import webbrowser

    if not webbrowser.open(path.absolute().as_uri()):
        write_err("no browser was found to open it\n")


def _format(options: OutputOptions, path: Path | None) -> Format:
    if options.format:
        chosen: Format | None = by_name(options.format)
    elif path is None:
        chosen = HTML if options.open else TEXT
    else:
        chosen = by_ending(path.name)
    if chosen is None:
        raise UsageError(f"-o {path}: no report format has this ending", remedy="name one with --format")
    if options.open and chosen is not HTML:
        raise UsageError(f"--open is for HTML, not for {chosen.name}", remedy="-o FILE.html --open")
    return chosen


def _refuse_terminal(chosen: Format, path: Path | None) -> None:
    if chosen.is_binary and path is None and on_terminal():
        ending = chosen.endings[0]
        raise UsageError(
            f"format {chosen.name} is binary, and standard output is a terminal",
            remedy=f"-o FILE{ending}",
        )


def refuse_unwritable(path: Path, *, force: bool) -> None:
    """Raise UsageError if a new file can't be written at `path`, before anybody waits for what goes there."""
    if path.is_dir():
        raise UsageError(f"-o {path}: is a folder", remedy="name a file in it")
    if path.exists() and not force:
        raise UsageError(f"-o {path}: the file exists", remedy="add --force to overwrite it")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"-o {path}: its folder doesn't exist", remedy=f"mkdir -p {path.parent}")
