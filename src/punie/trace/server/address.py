"""One way to reach a server, for the probe and the agent alike: its address, the key, proxies, certificates."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self, TypedDict
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from punie.trace.errors import ConfigError
from punie.trace.server.validation import is_loopback
from punie.trace.urls import (
    bare,
    basic,
    host_and_port,
    secrets_of,
    split_url,
    without_password,
    without_secrets,
)

MAX_TOKENS: Final = "max_tokens"
MAX_COMPLETION_TOKENS: Final = "max_completion_tokens"
"""OpenAI's newer name of the field, which some servers insist on and many don't know."""
_ENDPOINT: Final = "/chat/completions"
_THIS_MACHINE: Final = ("0.0.0.0", "::")  # noqa: S104 - where servers say that they listen, and clients then connect


class ClientArguments(TypedDict):
    """What `httpx.AsyncClient` and `httpx2.AsyncClient` are made with."""

    trust_env: bool
    verify: ssl.SSLContext | bool
    follow_redirects: bool


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """An OpenAI-compatible server. `base_url` has a path, no slash at its end, and no credentials.

    `authorization` is the value of the header of that name: it is part of no text, record or span. `token_limit` is the
    field by which a request limits its answer.
    """

    base_url: str
    authorization: str | None = field(default=None, repr=False)
    token_limit: str = MAX_TOKENS

    @classmethod
    def of(cls, url: str, *, api_key: str | None = None) -> Self:
        """From what a user names, also a chat endpoint; a URL without a path gets `/v1`.

        User and password of the URL are sent as such.

        `api_key` is sent as a bearer token and wins over them. Raises `ConfigError`, which doesn't show the URL's
        credentials.
        """
        parts = _split(url.strip())
        api_key = (api_key or "").strip()
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigError("api_key", "has characters that no header may have", remedy="set it again")
        path = parts.path.rstrip("/").removesuffix(_ENDPOINT) or "/v1"
        authorization = f"Bearer {api_key}" if api_key else _basic(parts)
        return cls(f"{parts.scheme}://{host_and_port(parts)}{path}", authorization)

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries."""
        return {"Authorization": self.authorization} if self.authorization else {}

    @property
    def is_direct(self) -> bool:
        """Whether no proxy of the environment is used: for this machine, and for what NO_PROXY names."""
        host = urlsplit(self.base_url).hostname or ""
        is_here = is_loopback(host) or host in _THIS_MACHINE or host.endswith(".localhost")
        return is_here or bool(proxy_bypass(host))

    @property
    def uses_proxy(self) -> bool:
        """Whether the environment names a proxy for it."""
        scheme = self.base_url.partition(":")[0]
        return not self.is_direct and not {scheme, "all"}.isdisjoint(getproxies())

    def client_arguments(self, environment: Mapping[str, str] | None = None) -> ClientArguments:
        """Proxies as `is_direct` says, certificates as SSL_CERT_FILE and SSL_CERT_DIR say, also on this machine.

        Raises `ConfigError` if they name what can't be read.
        """
        is_https = self.base_url.startswith("https:")
        return ClientArguments(
            trust_env=not self.is_direct,
            verify=_certificates(os.environ if environment is None else environment) if is_https else True,
            follow_redirects=True,
        )

    def moved_to(self, url: str) -> Self:
        """The same server at another address, as a redirect names it; other hosts and plain HTTP get no credentials."""
        parts, before = urlsplit(url), urlsplit(self.base_url)
        is_same = parts.hostname == before.hostname and parts.scheme in (before.scheme, "https")
        address = f"{parts.scheme}://{host_and_port(parts)}{parts.path.rstrip('/')}"
        return replace(self, base_url=address, authorization=self.authorization if is_same else None)

    def hidden(self, text: str) -> str:
        """`text` without the key or password, which some servers quote in their refusals."""
        return without_secrets(text, secrets_of(self.authorization or ""))


def without_credentials(url: str) -> str:
    """`url` as it may be shown: no user, no password, no query."""
    url = without_password(url)
    try:
        parts = urlsplit(url)
        shown = bare(parts)
    except ValueError:
        return url.rpartition("@")[2]
    return shown if parts.scheme and parts.hostname else url.rpartition("@")[2]


def _split(url: str) -> SplitResult:
    shown = without_credentials(url)
    try:
        parts = split_url(url)
    except ValueError as error:
        raise ConfigError(
            "base_url", f"{shown!r} is no URL: {error}", remedy="e.g. http://127.0.0.1:8080/v1"
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("base_url", f"needs http://HOST:PORT/v1, not {shown!r}")
    if parts.query or parts.fragment:
        raise ConfigError(
            "base_url", f"{shown} has a query (?…), which requests can't keep", remedy="leave it out"
        )
    return parts


def _basic(parts: SplitResult) -> str | None:
    account, at, _ = parts.netloc.rpartition("@")
    return basic(account) if at else None


def _certificates(environment: Mapping[str, str]) -> ssl.SSLContext | bool:
    file, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if not (file or folder):
        return True
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except OSError as error:
        name, value = ("SSL_CERT_FILE", file) if file else ("SSL_CERT_DIR", folder)
        raise ConfigError(
            name, f"{value}: {error.strerror or error}", remedy="name certificates in PEM"
        ) from error
