"""Writes the files of this folder from its code: ``python -m deploy.observability.generate``."""

import json
from pathlib import Path

from contracts import yaml_text
from deploy.embedded.ports import Ports
from deploy.observability import alerts, dashboard
from deploy.status.targets import TARGETS
from services.runtime.metrics import METRICS

FOLDER = Path(__file__).parent
_BEGIN, _END = "<!-- metrics -->\n", "<!-- end of metrics -->"


def files() -> dict[Path, str]:
    """What every generated file must hold."""
    return {
        FOLDER / "alerts.yaml": yaml_text.text(alerts.document()),
        FOLDER / "dashboard.json": json.dumps(dashboard.document(), indent=2) + "\n",
        FOLDER / "prometheus.yaml": yaml_text.text(scraping()),
        FOLDER / "README.md": _with_dictionary((FOLDER / "README.md").read_text("utf-8")),
    }


def scraping() -> dict[str, object]:
    """Prometheus' own configuration for the system that `ruta up` starts: the status page tells the processes."""
    found = {"http_sd_configs": [{"url": f"http://127.0.0.1:{Ports.based_on().status}{TARGETS}"}]}
    scrape = {"job_name": "ruta", **found}
    return {"global": {"scrape_interval": "10s"}, "rule_files": ["alerts.yaml"], "scrape_configs": [scrape]}


def dictionary() -> str:
    """Every metric with its meaning, as a table."""
    rows = [
        f"| `{one.exposed}` | {one.kind} | {', '.join(f'`{name}`' for name in one.attributes) or '–'} | {one.says} "
        f"| {', '.join(one.services)} |\n"
        for one in METRICS.values()
    ]
    return "| At `/metrics` | Kind | Labels | What it says | Services |\n|---|---|---|---|---|\n" + "".join(rows)


def _with_dictionary(text: str) -> str:
    head, _, rest = text.partition(_BEGIN)
    return head + _BEGIN + "\n" + dictionary() + "\n" + _END + rest.partition(_END)[2]


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content, "utf-8")
