"""What every span of a process says about the process."""

from __future__ import annotations

import os
import socket
import sys
import uuid
from collections.abc import Mapping
from importlib.metadata import version

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from punie.trace import semconv


def process_resource(
    service_name: str, service_version: str, more: Mapping[str, str | int] | None = None
) -> Resource:
    """This process by the resource conventions; `OTEL_RESOURCE_ATTRIBUTES` adds to it, `more` comes last.

    The SDK's own `Resource.create` would also run detectors that the environment names, which may take seconds.
    """
    known: dict[str, str | int] = {
        semconv.SERVICE_NAME: service_name,
        semconv.SERVICE_VERSION: service_version,
        semconv.HOST_NAME: socket.gethostname(),
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": ".".join(map(str, sys.version_info[:3])),
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": version("opentelemetry-sdk"),
    }
    known |= more or {}
    return this_process(OTELResourceDetector().detect().merge(Resource(known)))


def this_process(resource: Resource) -> Resource:
    """`resource` with the ids of the process that calls: a forked child is another one than its parent."""
    ids: dict[str, str | int] = {semconv.PROCESS_PID: os.getpid(), "service.instance.id": str(uuid.uuid4())}
    return resource.merge(Resource(ids))
