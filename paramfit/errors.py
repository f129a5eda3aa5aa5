"""The one exception that says: what the user gave is wrong."""

__all__ = ["InputError"]


class InputError(ValueError):
    """What the user gave (an option, a configuration, data, a checkpoint) is wrong.

    The message says what is wrong, where, and what to do next. It is the only exception of ours that the command
    line turns into exit code 2; every other one is a bug and keeps its traceback.
    """
