"""What a fit from Python loads, and python -m paramfit."""

import subprocess
import sys

from paramfit.cli.front_door import HELP

HEAVY = ("lightning", "matplotlib", "pyarrow", "tensorboard")


def test_a_fit_from_python_loads_neither_lightning_nor_what_figures_and_tables_need():
    code = f"import sys, paramfit; paramfit.fit; print([name for name in {HEAVY} if name in sys.modules])"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_the_module_is_the_command():
    ended = subprocess.run([sys.executable, "-m", "paramfit"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, HELP)
