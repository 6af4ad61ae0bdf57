"""What the embedded stack says when it cannot start."""


class StackError(Exception):
    """The stack cannot do what was asked. The message is one sentence for the person at the terminal.

    It names what is wrong and what to do; the command line prints it without a traceback.
    """
