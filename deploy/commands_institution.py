"""`ruta publish` and `ruta watch`: what an institution's own system would do, with its own login and keys."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from contracts import keys, labels
from contracts.applied import Applied, RedirectedFact
from contracts.codec import Declaration
from contracts.facts import DuplicateFact, Fact, ParkedFact, QuarantinedFact, RefusedFact
from contracts.moments import COLOMBIA
from contracts.sdk import Inbox, Opened, OutcomeUnknown, Publisher, SdkError, read_file
from contracts.sdk.file import read_event
from contracts.values import Problem, State
from deploy import interruption
from deploy.commands_inspect import timeline
from deploy.embedded.errors import StackError
from deploy.interruption import Interrupted
from deploy.keys import key_folder, overlay_file
from deploy.provision import Target
from deploy.running import running_stack

_SYSTEM = "ruta-publish"
_NO_REFERRAL = f"subject: {Problem.HEADER_MISSING}"
"""What the SDK says of the likeliest slip."""


def publish(file: Path, institution: str, referral: str | None, wait: float) -> int:
    """Send the declaration in ``file``, wait for its outcome and print it; 0 when it was applied (now or before).

    ``referral`` says which one it is about, where the file does not; its need is then looked up.
    """
    target = _member(institution)
    try:
        overlay = keys.load(overlay_file(target))
        if referral is None:
            declaration = read_file(file, institution, keys=overlay, system=_SYSTEM)
        else:
            declaration = read_event(_about(file, referral), institution, keys=overlay, system=_SYSTEM)
        return asyncio.run(_publish(target, declaration, institution, wait))
    except (SdkError, keys.BadKeyFile) as problem:
        if str(problem) == f"{file.name}: {_NO_REFERRAL}":
            raise StackError(
                f"{file.name} does not say which referral it is about: name it, --referral UUID."
            ) from problem
        raise StackError(str(problem)) from problem


def _about(file: Path, referral: str) -> bytes:
    """The file's event with the referral and its need filled in."""
    try:
        event = json.loads(file.read_bytes())
        return json.dumps({**event, "subject": referral, "correlationid": timeline(referral)["need"]}).encode()
    except OSError as error:
        raise StackError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise StackError(f"{file.name} is not a JSON object.") from None


async def _publish(target: Target, declaration: Declaration, institution: str, wait: float) -> int:
    async with Publisher(
        institution,
        bootstrap=target.kafka_bootstrap,
        password=target.state.secret(f"kafka/{institution}"),
        ca_file=target.kafka_ca_file,
    ) as publisher:
        event = await publisher.send(declaration)
        print(f"sent      {declaration.envelope.verb} as event {event}")
        print(f"referral  {declaration.envelope.referral}   need {declaration.envelope.need}", flush=True)
        try:
            fact = await publisher.outcome(event, timeout=wait)
        except OutcomeUnknown:
            raise StackError(
                f"No outcome within {wait:g} s. The declaration is in Kafka, do not make another: its outcome will be "
                f"in ./ruta watch {institution} and ./ruta show {declaration.envelope.referral}."
            ) from None
    print(f"outcome   {describe(fact)}")
    if isinstance(fact.data, RedirectedFact):
        print(f"child     {fact.data.details.child} to {fact.data.details.target}")
    if isinstance(fact.data, RefusedFact) and fact.data.existing:
        print(f"existing  {fact.data.existing}")
    applied = isinstance(fact.data, Applied) or (
        isinstance(fact.data, DuplicateFact) and fact.data.first_outcome == "applied"
    )
    return 0 if applied else 1


def watch(institution: str) -> None:
    """Print what reaches an institution, from now on and what its topic still keeps, until Ctrl-C."""
    target = _member(institution)
    try:
        interruption.run(_watch(target, institution))
    except Interrupted:
        pass
    except (SdkError, keys.BadKeyFile) as problem:
        raise StackError(str(problem)) from problem


async def _watch(target: Target, institution: str) -> NoReturn:
    own = keys.load_private(key_folder(target) / f"{institution}.jwk")
    async with Inbox(
        institution,
        bootstrap=target.kafka_bootstrap,
        password=target.state.secret(f"kafka/{institution}"),
        ca_file=target.kafka_ca_file,
        key=own,
    ) as inbox:
        print(f"What concerns {institution}, with the time in Colombia; Ctrl-C ends.", flush=True)
        async for item in inbox:
            match item:
                case Fact():
                    print(f"{_bogota(item.time)}  {item.referral or '-'}  {describe(item)}", flush=True)
                case Opened():
                    # Only that it opened: this screen may be seen by somebody who may not read it.
                    print(f"{'':16}sealed part of {item.referral} opens with our key: {len(item.content)} bytes")
                case _:
                    print(f"{'':16}record at offset {item.offset} cannot be read: {item.why}")
    raise AssertionError("the inbox has no end")


def describe(fact: Fact) -> str:
    """A fact in one line: what happened, who did it, where the referral stands, what to mend."""
    data = fact.data
    match data:
        case Applied():
            state = labels.label(State(data.state))
            return f"applied {data.kind} by {data.cause.owner}: {state} ({data.state}), version {data.version}"
        case RefusedFact():
            stands = f"; the referral is {data.state}" if data.state else ""
            return f"refused {data.verb} by {data.cause.owner}: {data.reason}{stands} - {labels.label(data.reason)}"
        case QuarantinedFact():
            detail = f" ({data.detail})" if data.detail else ""
            return f"quarantined offset {data.cause.offset}: {data.problem}{detail} - {labels.label(data.problem)}"
        case ParkedFact():
            return f"parked {data.verb} by {data.cause.owner}: it waits for a mend of ours, nothing is to be sent again"
        case DuplicateFact():
            return f"duplicate: fact {data.first} answered it already ({data.first_outcome})"
        case _:
            return f"conflict: this event id was used before for other bytes, see fact {data.first}"


def _member(institution: str) -> Target:
    target, _ = running_stack()
    if institution not in target.directory.by_code:
        known = ", ".join(sorted(target.directory.by_code))
        raise StackError(f"The directory has no institution '{institution}'; it has: {known}.")
    return target


def _bogota(moment: datetime) -> str:
    return f"{moment.astimezone(COLOMBIA):%m-%d %H:%M:%S}"
