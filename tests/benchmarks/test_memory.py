"""Peak memory: of the report, of the battery, and of rollouts of 800 points."""

import sys

import pytest

from tests.benchmarks.ledger import Ratio
from tests.benchmarks.memory import peak_memory

ROLLOUT = """
import numpy as np
from attn.arrange import forecast
from attn.processes import PairProcess
from attn.rollout import rollout
from attn.runs import find_run, load_run
rng = np.random.default_rng(0)
batch = forecast(PairProcess(num_points={num_points}).sample(1, rng), {num_context}, rng)
rollout(load_run(find_run("{run}")).model, batch, {num_samples}, rng)
"""
REPORT = ["report", "--subject", "historic", "--against", "corrected", "--out"]
DIAGNOSE = [sys.executable, "-m", "diagnostics"]
HOW = "of all its processes, an empty TensorFlow included"


@pytest.mark.parametrize("run", ["historic", "corrected"])
def test_rollout_of_800_points(run, benchmark, record, is_smallest):
    if is_smallest:
        code = ROLLOUT.format(run=run, num_points=5, num_context=1, num_samples=2)
        benchmark.pedantic(exec, args=(code, {}), rounds=1)
        return
    code = ROLLOUT.format(run=run, num_points=400, num_context=104, num_samples=64)
    peak = benchmark.pedantic(peak_memory, args=([sys.executable, "-c", code],), rounds=1)
    name = f"{run}: peak memory of 64 rollouts of a pair of 800 points"
    record(Ratio(name, peak, None, "lower", "GiB", HOW))


@pytest.mark.parametrize(
    ("name", "arguments", "target"),
    [
        ("the battery over the corrected run", ["check", "--subject", "corrected", "--no-store"], None),
        ("the report", REPORT, 2.0),
    ],
)
def test_diagnose(name, arguments, target, benchmark, record, is_smallest, tmp_path):
    folder = [str(tmp_path)] if arguments[-1] == "--out" else []
    command = [*DIAGNOSE, "list"] if is_smallest else [*DIAGNOSE, *arguments, *folder]
    peak = benchmark.pedantic(peak_memory, args=(command,), rounds=1)
    record(Ratio(f"peak memory of {name}", peak, target, "lower", "GiB", HOW))


def test_what_a_thread_started_is_counted():
    """A report asks its subjects in processes that its threads start."""
    inner = "held = bytearray(200 * 2**20); import time; time.sleep(1)"
    started = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    code = f"from threading import Thread; Thread(target=exec, args=({started!r},)).start()"
    assert peak_memory([sys.executable, "-c", code]) > 200 / 1024
