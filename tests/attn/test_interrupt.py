"""Ctrl-C: one sentence, exit code 130, nothing half-written, and a training goes on from where it was."""

import json
import signal
import subprocess
import sys
import time

import pytest

TRAIN = ["train", "--run", "r", "--model", "historic", "--kernel", "rbf_const_2D", "--num-points", "8"]
TRAIN += ["--width", "4", "--heads", "1", "--steps-per-epoch", "2", "--batch-size", "2", "--context", "3"]
TRAIN += ["--num-test-pairs", "4", "--epochs", "400"]


def start(folder, code, *arguments):
    """A Python process in `folder` that runs `code`, then the command line; stdout and stderr are pipes."""
    program = f"{code}\nfrom attn.cli import main\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell starts what runs in its background deaf to Ctrl-C, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_until(holds, process, seconds=240):
    """Wait for what the process is to do; it must not end before."""
    end = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def interrupt(process):
    """As the terminal does on Ctrl-C; gives what stands on stderr."""
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    return err


def leftovers(folder):
    """Files and directories that were being made."""
    return [path for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"]


def test_drawing_is_interrupted_without_a_trace(tmp_path):
    says_when = """
from attn import processes
draw = processes.PairProcess.sample_watched
def sample(*arguments, **options):
    print("drawing", flush=True)
    return draw(*arguments, **options)
processes.PairProcess.sample_watched = sample
"""
    process = start(tmp_path, says_when, "data", "--kernel", "rbf_const_2D", "--number", "200000")
    assert process.stdout.readline() == "drawing\n"
    time.sleep(0.2)
    assert interrupt(process) == "attn: interrupted\n"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_writing_is_interrupted_without_a_trace_and_keeps_what_was_there(tmp_path):
    slow = """
import os, time
sync = os.fsync
def slowly(number):
    print("writing", flush=True)
    time.sleep(60)
    sync(number)
os.fsync = slowly
"""
    folder = tmp_path / "data/rbf"
    folder.mkdir(parents=True)
    (folder / "pairs.npz").write_bytes(b"before")
    process = start(tmp_path, slow, "data", "--kernel", "rbf", "--number", "3", "--overwrite")
    assert process.stdout.readline() == "writing\n"
    assert interrupt(process) == "attn: interrupted\n"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"pairs.npz": b"before"}


@pytest.mark.slow
def test_a_training_that_is_interrupted_is_whole_and_goes_on(tmp_path):
    run = tmp_path / "runs/r"
    process = start(tmp_path, "", *TRAIN)
    wait_until(lambda: len(list(run.glob("checkpoints/step-*.safetensors"))) == 3, process)
    assert interrupt(process) == "attn: interrupted\n"
    assert leftovers(tmp_path) == []
    before = json.loads((run / "history.json").read_text())
    assert 3 <= len(before) < 400
    process = start(tmp_path, "", *TRAIN, "--resume")
    _, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (0, "")
    from attn.runs import load_run  # only here, as it loads TensorFlow

    finished = load_run(run)
    assert [row["step"] for row in finished.history] == [2.0 * epoch for epoch in range(1, 401)]
    assert finished.history[: len(before) - 1] == before[:-1]
    assert leftovers(tmp_path) == []
