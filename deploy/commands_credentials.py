"""`ruta credentials`: what an institution needs to publish and to read."""

from contracts import topics
from deploy.embedded.errors import StackError
from deploy.running import running_stack


def run(code: str) -> None:
    """Print environment variables, one per line. Raises StackError for a code that is not in the directory."""
    target, _ = running_stack()
    if code not in target.directory.by_code:
        known = ", ".join(sorted(target.directory.by_code))
        raise StackError(f"The directory has no institution '{code}'; it has: {known}.")
    if not (target.state.secrets / "kafka" / code).exists():
        raise StackError(f"'{code}' has no user yet: run ./ruta topics apply.")
    print(f"RUTA_KAFKA_BOOTSTRAP={target.kafka_bootstrap}")
    print(f"RUTA_KAFKA_USER={code}")
    print(f"RUTA_KAFKA_PASSWORD={target.state.secret(f'kafka/{code}')}")
    print(f"RUTA_TOPIC_IN={topics.inbound(code)}")
    print(f"RUTA_TOPIC_OUT={topics.outbound(code)}")
