"""One line that says what the user gave wrong, out of the many that libraries give."""

__all__ = ["explained"]


def explained(error: BaseException) -> str:
    """The innermost message of an error with its dotted option, on one line."""
    return " ".join(str(error).split())
