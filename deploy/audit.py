"""The verification of the log, as the operator of the embedded system can run it: with the keys at hand."""

from deploy.database import reader
from deploy.keys import audit_origin, seen_file, signing_key_file
from deploy.provision import Target
from services.audit import keys
from services.audit.verify import Verdict, verify


async def verify_log(target: Target) -> Verdict:
    """Recompute everything from the stored bytes, the commitments to the records included."""
    vkey = keys.load(signing_key_file(target.state), audit_origin(target.state)).verifier.vkey
    newest = seen_file(target.state)
    seen = newest.read_text("utf-8") if newest.exists() else None
    async with reader(target, "audit") as log, reader(target, "audit_keys", "audit_keys_app") as opening:
        return await verify(log, vkey, opening, seen)
