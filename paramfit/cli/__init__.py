"""The command line."""

from paramfit.cli.front_door import main

__all__ = ["main"]
