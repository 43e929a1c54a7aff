"""Where an HTTP request went, and whether a model answers there: by the paths of the large interfaces."""

from __future__ import annotations

import re
from typing import Final

from punie.trace import semconv
from punie.trace.model import Span

_MODEL_PATH: Final = re.compile(
    r"""/chat/completions$                            # OpenAI's interface, whoever serves it
      | /v\d+[a-z]*/(completions|responses|messages)$ # its older and newer forms; Anthropic's
      | /openai/responses$ | /(agents|fim)/completions$ # Azure's, Mistral's
      | :(stream)?generatecontent$                    # Google's
      | /model/[^/]+/(converse|invoke)(-[a-z-]+)?$    # Bedrock's
      | :(stream)?rawpredict$                         # Vertex', for other makers' models
      | /api/generate$ | :11434/api/chat$             # Ollama's
      | cohere\.(com|ai)/v\d/chat$                    # Cohere's
      | :1234/api/v\d/chat$                           # LM Studio's
      | /ml/v\d/text/(chat|generation)(_stream)?$     # watsonx'
      | ^[^/]*/completions?$ | /generate_stream$      # llama.cpp's, Text Generation Inference's
      | ^[^/]*/generate$                              # SGLang's""",
    re.VERBOSE | re.IGNORECASE,
)

_DOMAIN: Final = re.compile(r"(?:[a-z0-9_-]+\.)+(?!(?:local|localdomain|internal|svc)$)[a-z]{2,}")
_PATHS: Final = (semconv.URL_PATH, semconv.URL_TARGET, semconv.HTTP_ROUTE)


def address(request: Span) -> str:
    """Host, port and path, without scheme, query and credentials; empty where the span doesn't report it."""
    url = semconv.text(request.attributes, semconv.URL_FULL) or ""
    _, scheme, rest = url.partition("://")
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    place = f"{host.rpartition('@')[2]}{slash}{path}" if scheme else ""
    if not place:
        host = semconv.text(request.attributes, semconv.SERVER_ADDRESS) or ""
        port = semconv.first(request.attributes, semconv.SERVER_PORT)
        path = semconv.text(request.attributes, _PATHS) or url
        place = f"{host}:{port}{path}" if host and port is not None else f"{host}{path}"
    return re.split(r"[?#]", place, maxsplit=1)[0].rstrip("/").lower()


def path_of(request: Span) -> str:
    """Its path, as `address`, by a client's span or a server's; empty where the span reports none but the root."""
    place = address(request)
    return f"/{place.partition('/')[2]}" if "/" in place else ""


def domain_of(request: Span) -> str:
    """The domain that it went to; empty for a name that is known in a network alone, an IP address, or none."""
    host = address(request).partition("/")[0].partition(":")[0]
    return host if _DOMAIN.fullmatch(host) else ""


def is_model_address(place: str) -> bool:
    """Whether its path is one under which servers answer as models, and nothing else."""
    return _MODEL_PATH.search(place) is not None
