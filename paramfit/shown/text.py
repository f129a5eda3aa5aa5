"""Text that users gave, on a terminal: to the letter, without anything that a terminal or rich would obey."""

from rich.text import Text

from paramfit.wording import visible

__all__ = ["literal", "say", "warning_line"]


def literal(text: str, style: str = "") -> Text:
    """The text for rich: ``[/day]`` is no markup, ``:smile:`` no picture, and what has no look is escaped."""
    return Text(visible(text), style)


def warning_line(text: str) -> Text:
    """A caution on a line of its own."""
    return Text.assemble(("warning: ", "bold yellow"), literal(text))


def say(text: str) -> None:
    """Print one line."""
    print(visible(text))
