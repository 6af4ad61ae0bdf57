"""The life cycle as the design has it, written a second time: the code cannot change the design by itself."""

import re

from contracts.values import State, Verb
from services.referrals.lifecycle import Condition, Lead, Party, Transition

ACTIVE = (
    State.REQUESTED, State.RECEIVED, State.AWAITING_INFORMATION, State.ACCEPTED, State.IN_PROGRESS, State.WAITLISTED,
)  # fmt: skip
DISPUTABLE = (State.REQUESTED, State.RECEIVED, State.AWAITING_INFORMATION)
ENDED = (State.CLOSED, State.REDIRECTED, State.WITHDRAWN, State.VOIDED)

# DESIGN, the table of the life cycle: verb, from, to, who, and on which condition. An asterisk is "unchanged", an arrow
# back "where it came from"; a question mark says that a rule of competence or of consent may leave it where it is.
DESIGN = """
requested              -                                         requested             sender
received               requested                                 received              recipient
accepted               requested received                        accepted              recipient
acceptance-reverted    accepted                                  received              recipient
information-requested  received accepted                         awaiting_information  recipient
information-provided   awaiting_information                      <-                    sender
information-provided   requested received accepted               *                     sender               content-awaited
information-provided   in_progress waitlisted                    *                     sender               content-awaited
rejected               requested received                        rejected?             recipient
rejected               awaiting_information                      rejected?             recipient            before-acceptance
returned               requested received                        returned?             recipient
returned               awaiting_information                      returned?             recipient            before-acceptance
redirected             requested received                        redirected?           recipient
redirected             awaiting_information                      redirected?           recipient            before-acceptance
started                accepted waitlisted                       in_progress           recipient
waitlisted             accepted in_progress                      waitlisted            recipient
resumed                waitlisted awaiting_information           <-                    recipient
completed              accepted in_progress waitlisted           completed             recipient
not-achieved           accepted in_progress waitlisted           not_achieved          recipient
withdrawn              ACTIVE                                    withdrawn             sender
consent-revoked        ACTIVE                                    withdrawn?            holder sender
consent-revoked        INACTIVE                                  *                     holder sender
stop-confirmed         ALL                                       *                     recipient            stop-duty
closed                 completed not_achieved rejected returned  closed                sender clock
reopened               completed not_achieved closed             requested             sender oversight
reopened               rejected returned                         requested             oversight
voided                 ACTIVE INACTIVE                           voided                sender
escalated              OPEN                                      *                     oversight clock
escalated              ENDED                                     *                     oversight clock      stop-duty
position-stated        requested received awaiting_information   *                     in-conflict          conflict
conflict-resolved      requested received awaiting_information   redirected?           oversight            conflict
"""  # noqa: E501

_NAMED: dict[str, list[State | None]] = {
    "ACTIVE": list(ACTIVE),
    "INACTIVE": [s for s in State if s not in ACTIVE and s is not State.VOIDED],
    "OPEN": [s for s in State if s not in ENDED],
    "ENDED": list(ENDED),
    "ALL": list(State),
    "-": [None],
}


def designed() -> dict[tuple[State | None, Verb], Transition]:
    """Of each state and verb, where it leads, who may declare it and on which condition."""
    found: dict[tuple[State | None, Verb], Transition] = {}
    for row in DESIGN.strip().splitlines():
        verb, froms, to, by, *when = re.split(r"\s{2,}", row)
        transition = Transition(
            tuple(Party(one) for one in by.split()),
            {"*": Lead.UNCHANGED, "<-": Lead.BACK}.get(to) or State(to.rstrip("?")),
            Condition(when[0]) if when else None,
            or_unchanged=to.endswith("?"),
        )
        for word in froms.split():
            for state in _NAMED.get(word) or [State(word)]:
                found[state, Verb(verb)] = transition
    return found
