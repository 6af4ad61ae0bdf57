"""`ruta topics apply`: Kafka as contracts and directory say it should be, and keys for its new members."""

import asyncio

from deploy import keys
from deploy.provision import kafka_plan, provision_topics
from deploy.running import running_stack


def run(*, dry_run: bool) -> None:
    """Print the changes, and make them unless it is a dry run. Raises StackError when nothing runs."""
    target, _ = running_stack()
    lines = kafka_plan(target).lines() if dry_run else asyncio.run(provision_topics(target))
    if not dry_run:
        keys.ensure(target)  # nobody can seal anything for a new member before
    print("\n".join(lines) if lines else "nothing to change")
