"""Ctrl-C of `diagnose`: one sentence, exit code 130, no report, and nothing left that runs."""

import signal
import subprocess
import sys

import psutil
import pytest

SUBJECT = """
import os
import time
from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject

class Waits(OracleSubject):
    def teacher_force(self, batch):
        print(f"checking in {os.getpid()}")
        time.sleep(60)

def load():
    return Waits(PairProcess(num_points=20))
"""


@pytest.mark.parametrize(
    "command",
    [
        ["check", "--subject", "mine:load"],
        pytest.param(
            ["report", "--subject", "mine:load", "--against", "mine:load", "--out", "."],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["check", "report"],
)
def test_a_command_is_interrupted_with_a_sentence(command, tmp_path):
    (tmp_path / "mine.py").write_text(SUBJECT)
    process = subprocess.Popen(
        [sys.executable, "-m", "diagnostics", *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell starts what runs in its background deaf to Ctrl-C, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    said = [process.stderr.readline() for _ in range(command.count("mine:load"))]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, "", "diagnose: interrupted\n")
    assert not any(psutil.pid_exists(int(line.removeprefix("checking in "))) for line in said)
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["mine.py"]
