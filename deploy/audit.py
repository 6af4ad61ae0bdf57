"""The verification of the log, as the operator of the embedded system can run it: with the keys at hand."""

from dataclasses import replace

from deploy.database import reader
from deploy.keys import seen_file, signing_key_file
from deploy.provision import Target
from services.audit import keys, note, predecessor
from services.audit.checks import Check, Misfit
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
    """The same for every closed log, the newest first: also that all that was kept is there, and that it is what was
    published, as far as its last checkpoint is not beyond what is kept."""
    found: list[tuple[Predecessor, Verdict]] = []
    schema = "audit"
    while True:
        async with reader(target, schema) as log:
            before = await predecessor.read(log)
        if before is None:
            return found
        schema = before.schema
        async with reader(target, schema) as log, reader(target, "audit_keys", "audit_keys_app") as opening:
            verdict = await verify(log, before.vkey, opening, _last(before))
        if verdict.misfit is None and verdict.leaves != before.kept:
            cut = f"the closed log ends here, and was closed with {before.kept} leaves"
            verdict = replace(verdict, misfit=Misfit(Check.PREDECESSOR, verdict.leaves, cut))
        found.append((before, verdict))


def _last(before: Predecessor) -> str | None:
    try:
        return before.checkpoint if before.published <= before.kept else None
    except note.Unacceptable:
        return None  # the verdict on the log that goes on from it says so
