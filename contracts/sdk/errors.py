"""What can go wrong for an institution, and what it should do then.

    SdkError
    ├── UnsafeConnection   plaintext to another machine: give the certificate authority's file
    ├── NotReachable       no broker answers: try again later
    ├── LoginRefused       wrong user or password: ask the operator for new credentials
    ├── NotPermitted       the user may not do this to the topic: the institution's code is not the user's
    ├── NotADeclaration    Ruta would quarantine it: mend it and send it again (nothing was sent)
    ├── OutcomeUnknown     no answer in time: send the SAME declaration again, with its id
    └── BadFile            a file is no declaration: the message names the field

Messages name fields and topics, never what stood in them.
"""


class SdkError(Exception):
    """Anything that goes wrong while declaring or reading."""


class UnsafeConnection(SdkError):
    """Without TLS only brokers on this machine (loopback) may be used."""


class NotReachable(SdkError):
    """No broker answers at the bootstrap addresses."""


class LoginRefused(SdkError):
    """The broker refuses this user and password."""


class NotPermitted(SdkError):
    """This user may not use the topic of this institution."""


class NotADeclaration(SdkError):
    """Ruta could not read this as a declaration of this institution, so it was not sent."""


class OutcomeUnknown(SdkError):
    """There was no answer in time. Whether the declaration arrived is unknown: send it again with the same id."""


class BadFile(SdkError):
    """The file does not hold a declaration."""
