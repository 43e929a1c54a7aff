"""URLs that others name, read strictly, and texts that may quote them: shown without what is secret.

A user without a password is a token, except for a database, where it is a name.
A password or token that entered by a URL is remembered, and so is taken out of a server's error that quotes it, in any
form; of what the environment holds under a name such as TOKEN or PASSWORD the same is true.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

HIDDEN: Final = "…"
# A password may hold what ends a host (`/`, `?`, `#`) and `@`; what is a number up to there is a port.
_ACCOUNT: Final = r"([^/?#\s:@\[]*):(?!\d+(?:[/?#\s]|$))"
_OF_A_URL: Final = re.compile(rf"^(\w[\w+.-]*:/{{1,2}}|//){_ACCOUNT}(.*)@", re.DOTALL)
# In a text, also of a URL that was taken for a path, which has one slash.
_IN_A_TEXT: Final = re.compile(rf"((?<=//)|(?<=:/)){_ACCOUNT}\S{{1,1000}}@")
_USER_ALONE: Final = r"([^/?#\s:@\[]+):?@"
_TOKEN_OF_A_URL: Final = re.compile(rf"^(?!clickhouse:)(\w[\w+.-]+:/{{1,2}}|//){_USER_ALONE}")
_TOKEN_IN_A_TEXT: Final = re.compile(rf"(?<!clickhouse://)((?<=//)|(?<=[a-z]{{2}}:/)){_USER_ALONE}")
_LIKE_A_TOKEN: Final = re.compile(
    r"(?=.*\d).{8,}"
)  # what has no digit is a user's name, and stands in many words
_NAMED: Final = r"([?&;][^=&;#\s]{0,40}(?:passw|pwd|token|secret|key|credential|signature)[^=&;#\s]{0,40}=)"
_PARAMETER: Final = re.compile(rf"{_NAMED}([^&]+)", re.IGNORECASE)
_PARAMETER_IN_A_TEXT: Final = re.compile(rf"{_NAMED}([^&;#\s]+)", re.IGNORECASE)
_HEADER: Final = re.compile(r"\b(Basic|Bearer) (?=\S*[\d=])[\w+/=.~-]{8,}")
_VARIABLE: Final = re.compile(r"TOKEN|SECRET|PASSW|KEY|CREDENTIAL|_HEADERS$|_PROXY$", re.IGNORECASE)
_SHORTEST: Final = 4  # a shorter one stands in many words
_SHORTEST_KEY: Final = 8  # in a variable, whose value may be "none"
_remembered: Final[set[str]] = set()


def split_url(url: str) -> SplitResult:
    """Its parts. Raises `ValueError`, which quotes nothing, for what no request can carry: a port, a character."""
    remember_secrets(url)
    try:
        url.encode()
        parts = urlsplit(url)
        # which stand alone where the credentials are gone
        _ = (
            parts.port,
            urlsplit(f"//{host_and_port(parts)}"),
        )
    except ValueError:
        raise ValueError("its host or port can't be read") from None
    return parts


def host_and_port(parts: SplitResult) -> str:
    """As they stand in the URL, without user and password."""
    return parts.netloc.rpartition("@")[2]


def bare(parts: SplitResult) -> str:
    """Scheme, host, port and path: keys travel in all the rest."""
    return f"{parts.scheme}://{host_and_port(parts)}{parts.path}"


def basic(account: str) -> str:
    """The value of the header that carries `USER:PASSWORD` as a URL has it."""
    user, colon, password = account.partition(":")
    pair = f"{unquote(user)}{colon or ':'}{unquote(password)}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def without_password(text: str) -> str:
    """A path or URL as it may be printed: `scheme://user@host/…`, and no keys among its parameters."""
    text = _OF_A_URL.sub(r"\1\2@", _TOKEN_OF_A_URL.sub(rf"\1{HIDDEN}@", text))
    return _PARAMETER.sub(rf"\1{HIDDEN}", text)


def without_passwords(text: str) -> str:
    """A text that may quote URLs, each as `without_password` gives it, or secrets that are known here."""
    text = _IN_A_TEXT.sub(r"\1\2@", _TOKEN_IN_A_TEXT.sub(rf"\1{HIDDEN}@", text))
    text = _HEADER.sub(rf"\1 {HIDDEN}", text)
    text = _PARAMETER_IN_A_TEXT.sub(rf"\1{HIDDEN}", text)
    return without_secrets(text, {*_remembered, *_of_environment(os.environ.items())})


def remember_secrets(text: str) -> None:
    """From now on no text shows the password or the keys of this URL, which may stand behind a flag's name."""
    at = text.find("://") - len(text[: max(text.find("://"), 0)].rpartition("=")[2])
    _remembered.update(secret for secret in _of_url(text[max(at, 0) :]) if len(secret) >= _SHORTEST)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """`text` without `secrets`, in all the forms in which an error may quote them."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def secrets_of(authorization: str) -> Iterator[str]:
    """What must not be shown of a header's value: `Bearer KEY`, `Basic …`, also as it was before it was encoded."""
    kind, _, encoded = authorization.rpartition(" ")
    yield encoded
    if kind.lower() == "basic":
        try:
            yield from _forms(b64decode(encoded, validate=True).decode().partition(":")[2])
        except ValueError:
            return


def _of_url(url: str) -> Iterator[str]:
    for match in _PARAMETER.finditer(url):
        yield from _forms(match[2])
    token = _TOKEN_OF_A_URL.match(url)
    if token is not None and _LIKE_A_TOKEN.fullmatch(token[2]):
        yield basic(token[2]).partition(" ")[2]
        yield from (*_forms(token[2]), *_forms(unquote(token[2])))
    account = _account(url)
    if not account:
        return
    yield basic(account).partition(" ")[2]
    password = account.partition(":")[2]
    yield from (*_of_password(password), *_of_password(unquote(password)))


def _account(url: str) -> str:
    """`USER:PASSWORD` as the standard has it, else as it may be meant; empty without a password."""
    match = _OF_A_URL.match(url)
    if match is None:
        return ""
    try:
        standard = urlsplit(url).netloc.rpartition("@")[0]
    except ValueError:
        standard = ""
    return standard or f"{match[2]}:{match[3]}"


def _forms(secret: str) -> Iterator[str]:
    """As it is, in JSON, in a URL."""
    yield from (secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote(secret))


def _of_password(password: str) -> Iterator[str]:
    """It, and its parts as URL parsers quote them in errors."""
    yield from _forms(password)
    yield from re.split(r"[/?#@:\[\]\s\\]", password)


def _of_environment(variables: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, value in variables:
        if _VARIABLE.search(name):
            words = re.split(r"[\s,;]", value.partition("=")[2] if name.endswith("_HEADERS") else value)
            keys = (value, *(word.rpartition("=")[2] for word in words))
            yield from (form for key in keys if len(key) >= _SHORTEST_KEY for form in _forms(key))
            passwords = (*_of_url(value), *(_of_password(value) if "PASSW" in name else ()))
            yield from (secret for secret in passwords if len(secret) >= _SHORTEST)
