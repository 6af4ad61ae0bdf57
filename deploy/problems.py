"""What the clients of Kafka and PostgreSQL raise while those are away, as one sentence for who is at the terminal."""

import asyncpg
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

_NO_SESSION = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it starts, or stops
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,  # what is left of a session that ended in the middle
)


def sentence(problem: Exception) -> str | None:
    """None for what only a traceback explains. PostgreSQL's own text is left out: it may show the values of a row."""
    match problem:
        case KafkaException():
            return _silent("Kafka", problem.args[0].name())
        case KafkaError():
            return _silent("Kafka", type(problem).__name__)
        case OSError(filename=str(name)):
            return f"{name}: {problem.strerror}."
        case TimeoutError():
            return "There was no answer in time: is everything running? See the logs."
        case ConnectionError():
            return _silent("A server", problem.strerror or type(problem).__name__)
        case OSError():
            return f"{problem.strerror or problem}."
    return _silent("PostgreSQL", type(problem).__name__) if isinstance(problem, _NO_SESSION) else None


def _silent(who: str, why: str) -> str:
    return f"{who} does not answer ({why}): is it running? See its log."
