"""python -m paramfit."""

import subprocess
import sys

from paramfit.cli.front_door import HELP


def test_the_module_is_the_command():
    ended = subprocess.run([sys.executable, "-m", "paramfit"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, HELP)
