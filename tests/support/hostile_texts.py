"""Texts of somebody who wants to be obeyed: by a terminal, a spreadsheet, a viewer of Markdown, a browser."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

HOSTILE: Final = "\x1b[31m</script><b>|`x`\n# not a heading [a](b)"
"""A little of each, in the names of sample reports."""

TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "colour": "\x1b[31mred\x1b[0m",
        "clipboard (OSC 52)": "\x1b]52;c;cm0gLXJmIH4=\x07",
        "title (OSC 0)": "\x1b]0;owned\x1b\\",
        "link (OSC 8)": "\x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
        "screen erased": "\x1b[2J\x1b[H",
        "C1": "\x9b31m\x9d52;c;eA==\x9c\x90q\x9c",
        "line overwritten": "safe\rEVIL\b\b\b\b",
        "bell and form feed": "\x07\x0c\x0b\x00",
        "right to left": "\u202egnp.exe\u2066\u2069",
        "not to be seen": "ad\u200bmin\u200d\ufeff\u00ad\u2060",
        "tags": "a\U000e0041\U000e0042",
        "line separators": "one\u2028two\u2029three\x85four",
        "lone surrogate": "a\ud800b",
        "formula": "=cmd|'/c calc'!A1",
        "formula behind a blank": ' \t=HYPERLINK("http://evil.example")',
        "formula full width": "＝1＋1",  # noqa: RUF001 # full width, on purpose
        "cells": 'a,"b\n=1+1,c',
        "Markdown link": "[click](javascript:alert(1)) ![x](http://evil.example/x.png)",
        "Markdown table": "a | b\n| --- |\n# title\n```\n<details open ontoggle=alert(1)>",
        "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "end of a script": "</script><svg onload=alert(1)>",
        "end of an attribute": "\" onmouseover=alert(1) x='",
        "XML": "]]><evil/><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;",
        "metric": 'x"} 1\npunie_trace_evil{a="b\\',
        "stack": "a;b 5\nc",
        "template": "{{7*7}}${7*7}%s%n{0.__class__}[bold]rich[/bold][link=http://evil.example]",
        "long": "A" * 50_000,
    }
)
