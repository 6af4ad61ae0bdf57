"""How a referral's state reads in HL7 FHIR R4: the status of the Task that tracks a ServiceRequest."""

from contracts.values import State

TASK_STATUS: dict[State, str] = {
    State.REQUESTED: "requested",
    State.RECEIVED: "received",
    State.AWAITING_INFORMATION: "on-hold",
    State.ACCEPTED: "accepted",
    State.IN_PROGRESS: "in-progress",
    State.WAITLISTED: "on-hold",
    State.COMPLETED: "completed",
    State.NOT_ACHIEVED: "failed",
    State.REJECTED: "rejected",
    State.RETURNED: "rejected",
    State.REDIRECTED: "rejected",
    State.WITHDRAWN: "cancelled",
    State.CLOSED: "completed",
    State.VOIDED: "entered-in-error",
}
"""Several states share a status; the state's own code goes into Task.businessStatus."""
