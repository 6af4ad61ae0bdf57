"""The verification of the log, as the operator of the embedded system can run it: with the keys at hand."""

from deploy.database import reader
from deploy.keys import seen_file, signing_key_file
from deploy.provision import Target
from services.audit import keys, predecessor
from services.audit.predecessor import Predecessor
from services.audit.verify import Verdict, verify


async def verify_log(target: Target) -> Verdict:
    """Recompute everything from the stored bytes, the commitments to the records included."""
    vkey = keys.load(signing_key_file(target.state)).verifier.vkey
    newest = seen_file(target.state)
    seen = newest.read_text("utf-8") if newest.exists() else None
    async with reader(target, "audit") as log, reader(target, "audit_keys", "audit_keys_app") as opening:
        return await verify(log, vkey, opening, seen)


async def verify_closed(target: Target) -> list[tuple[Predecessor, Verdict]]:
    """The same for every closed log, the newest first; their last checkpoint is beyond what is kept of them."""
    found: list[tuple[Predecessor, Verdict]] = []
    schema = "audit"
    while True:
        async with reader(target, schema) as log:
            before = await predecessor.read(log)
        if before is None:
            return found
        schema = before.schema
        async with reader(target, schema) as log, reader(target, "audit_keys", "audit_keys_app") as opening:
            found.append((before, await verify(log, before.vkey, opening)))
