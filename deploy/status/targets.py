"""Which processes Prometheus finds, by its HTTP service discovery: workers come and go with `--workers`."""

from collections.abc import Mapping
from urllib.parse import urlsplit

TARGETS = "/v1/prometheus-targets"


def targets(processes: Mapping[str, str]) -> list[dict[str, object]]:
    """One group for each process, in the form of ``http_sd_configs``; its job is ``ruta-`` and its name."""
    return [{"targets": [urlsplit(url).netloc], "labels": {"job": f"ruta-{name}"}} for name, url in processes.items()]
