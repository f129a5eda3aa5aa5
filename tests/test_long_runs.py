"""A run of 10^6 updates: memory stays flat, event files and console bounded, without a terminal and without colours."""

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

CONFIGURATION = Path(__file__).parents[1] / "configs" / "thermometer" / "normalized.yaml"
BLOCKS, UPDATES_A_BLOCK = 10_000, 100
MOST_GROWTH = 20.0  # MiB, from a fifth of the time on
MOST_EVENTS = 8 * 2**20  # bytes
MOST_LINES = 500

# Runs the command line that follows, and ends its output with what the process held at each half second, in MiB.
WATCHED = """
import sys, threading, time
from pathlib import Path
from paramfit.cli.front_door import main

held = []

def watch():
    while True:
        status = Path("/proc/self/status").read_text()
        held.append(int(status.split("VmRSS:")[1].split()[0]) / 1024)
        time.sleep(0.5)

threading.Thread(target=watch, daemon=True).start()
code = main(sys.argv[1:])
print("held", *held)
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_a_million_updates_leave_memory_files_and_console_as_they_were(tmp_path):
    options = ["--config", str(CONFIGURATION), "--trainer.max_epochs", str(BLOCKS)]
    options += ["--model.updates_per_step", str(UPDATES_A_BLOCK)]
    ended = subprocess.run(
        [sys.executable, "-c", WATCHED, "fit", *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(rf"after {BLOCKS * UPDATES_A_BLOCK} updates", ended.stdout)
    *lines, held = ended.stdout.splitlines()
    sizes = [float(size) for size in held.split()[1:]]
    warm = sizes[len(sizes) // 5 :]
    assert statistics.median(warm[len(warm) // 2 :]) - warm[0] < MOST_GROWTH
    written = [path.stat().st_size for path in tmp_path.rglob("events.out.tfevents*")]
    assert len(written) == 1
    assert written[0] < MOST_EVENTS
    assert len(lines) + len(ended.stderr.splitlines()) < MOST_LINES
    assert "\x1b" not in ended.stdout + ended.stderr
