"""One way to reach a server: what a user names, what the environment says, what is shown of it."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest

from punie.trace.errors import ConfigError, ServerError
from punie.trace.server.address import ServerAddress, without_credentials
from punie.trace.server.probe import open_client

HERE = ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "model.localhost")  # noqa: S104 - asked, not bound
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *map(str.upper, PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8080", "ftp://host/v1", "http://", "http://me:pw@", "http://host:x/v1", "http://[::1"],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url: ") as caught:
        ServerAddress.of(url)
    assert "pw" not in str(caught.value)


def test_a_chat_endpoint_is_taken_for_its_server() -> None:
    url = " http://127.0.0.1:8080/v1/chat/completions/ \n"
    assert ServerAddress.of(url).base_url == "http://127.0.0.1:8080/v1"


def test_the_path_of_a_url_is_kept() -> None:
    assert ServerAddress.of("https://host/openai/v2/").base_url == "https://host/openai/v2"
    assert ServerAddress.of("http://host:1").base_url == "http://host:1/v1"


def test_credentials_are_sent_and_shown_nowhere() -> None:
    address = ServerAddress.of("http://me:p%40ss@host:1/v1")
    assert address.base_url == "http://host:1/v1"
    assert address.headers == {"Authorization": "Basic bWU6cEBzcw=="}
    assert "bWU6" not in repr(address)
    assert ServerAddress.of("http://me:pass@host", api_key="k").headers == {"Authorization": "Bearer k"}
    assert ServerAddress.of("http://host").headers == {}
    with pytest.raises(ConfigError, match="has a query") as caught:
        ServerAddress.of("http://host/v1?key=sekret")
    assert "sekret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:pw@host:1/v1?key=x#y", "http://host:1/v1"),
        ("http://host/v1", "http://host/v1"),
        ("me:pw@host", "host"),
        ("http://me:pw@[::1", "[::1"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_a_key_that_no_header_can_hold_is_refused_without_being_shown() -> None:
    assert ServerAddress.of("http://host", api_key=" k\n").headers == {"Authorization": "Bearer k"}
    with pytest.raises(ConfigError, match="api_key: ") as caught:
        ServerAddress.of("http://host", api_key="sek\nret")
    assert "sek" not in str(caught.value)


def test_another_host_gets_no_credentials() -> None:
    address = ServerAddress.of("http://host/v1", api_key="k")
    assert address.moved_to("https://host/v1/").headers == {"Authorization": "Bearer k"}
    assert address.moved_to("https://other/v1").headers == {}


def test_this_machine_and_what_no_proxy_names_are_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    direct = [ServerAddress.of(f"http://{host}/v1").is_direct for host in HERE]
    assert direct == [True] * len(HERE)
    assert ServerAddress.of("http://inside.example/v1").is_direct
    assert not ServerAddress.of("http://outside.example/v1").is_direct


def test_a_socks_proxy_that_can_not_be_used_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://me:pw@127.0.0.1:9")
    assert isinstance(open_client(ServerAddress.of("http://127.0.0.1:1"), timeout_s=1), httpx.AsyncClient)
    monkeypatch.setenv("HTTP_PROXY", "gopher://me:pw@127.0.0.1:9")
    with pytest.raises(ServerError, match="proxy") as caught:
        open_client(ServerAddress.of("http://outside.example/v1"), timeout_s=1)
    assert "pw" not in str(caught.value)
    assert "NO_PROXY" in caught.value.remedy


def test_certificates_of_the_environment_count_on_this_machine_too(tmp_path: Path) -> None:
    import certifi

    secure = ServerAddress.of("https://127.0.0.1/v1")
    assert isinstance(secure.client_arguments({"SSL_CERT_FILE": certifi.where()})["verify"], ssl.SSLContext)
    assert secure.client_arguments({})["verify"] is True
    with pytest.raises(ConfigError, match=r"SSL_CERT_FILE: .*No such file"):
        secure.client_arguments({"SSL_CERT_FILE": str(tmp_path / "nothing")})
