"""Two workers on 127.0.0.1: the steps of one machine, a worker lost at any moment, and going on after it."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from itertools import islice

import numpy as np
import pytest

from tests.reliability.ledger import Promise

SECTION = "several workers"
SMALL = {
    "historic": ["--width", "8", "--heads", "2", "--layer-dims", "8,8,4", "--regime", "shuffle"],
    "pair_transformer": ["--width", "8", "--heads", "2", "--layers", "1", "--hidden-dim", "8"],
    "pair_smoother": ["--width", "8", "--heads", "2", "--layers", "1", "--hidden-dim", "8"],
}
# 7 rows are 3 and 4: workers that differ in their rows, and in their targets
COMMON = ["--num-points", "10", "--context", "3", "--batch-size", "7", "--num-test-pairs", "16"]
COMMON += ["--warmup-steps", "4", "--steps-per-epoch", "10"]
# what the order of a sum in float32 comes to after some dozens of steps
RELATIVE = 1e-4
LOST = (
    "attn: every worker must go on to the end; one has ended or cannot be reached any more (start all again"
)
LIMIT = 60.0  # seconds within which a survivor must have ended
PATIENCE = 300.0  # for whatever must come, on a busy machine


def is_free(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def free_addresses(number):
    """With ports below 32768: those above, the system gives to any process that asks for one."""
    ports = filter(is_free, random.SystemRandom().sample(range(16384, 32768), 100))
    return [f"127.0.0.1:{port}" for port in islice(ports, number)]


def start(folder, *options, addresses=None, index=0):
    """`attn train` in a folder of its own, as one of several workers if there are addresses."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    environment["PYTHONPATH"] = os.getcwd()
    if addresses:
        task = {"type": "worker", "index": index}
        environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    return subprocess.Popen(
        [sys.executable, "-m", "attn", "train", "--run", "r", *COMMON, *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_two(folder, *options):
    addresses = free_addresses(2)
    return [start(folder / f"worker-{i}", *options, addresses=addresses, index=i) for i in range(2)]


def end(process, timeout=PATIENCE):
    """Exit code, and what stands on stderr."""
    _, err = process.communicate(timeout=timeout)
    return process.returncode, err


def run_whole(*processes):
    for process in processes:
        code, err = end(process)
        assert (code, err) == (0, "")


def losses(folder):
    history = json.loads((folder / "runs/r/history.json").read_text())
    return np.array([[row["train_loss"], row["test_loss"]] for row in history])


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def wait_for_checkpoint(folder, processes):
    end_of_patience = time.monotonic() + PATIENCE
    while not list(folder.glob("runs/r/checkpoints/step-*.safetensors")):
        assert all(process.poll() is None for process in processes), [end(p) for p in processes]
        assert time.monotonic() < end_of_patience, "waited in vain"
        time.sleep(0.02)


def test_two_workers_take_the_steps_of_one(tmp_path, promise, is_smallest):
    kinds = ["historic"] if is_smallest else list(SMALL)
    num_equal, num_silent, largest = 0, 0, 0.0
    for kind in kinds:
        options = ["--model", kind, *SMALL[kind], "--epochs", "1" if is_smallest else "6"]
        folder = tmp_path / kind
        run_whole(*start_two(folder, *options), start(folder / "one", *options))
        ours, one = losses(folder / "worker-0"), losses(folder / "one")
        difference = float(np.abs(ours / one - 1).max())
        largest = max(largest, difference)
        num_equal += difference < RELATIVE
        num_silent += files(folder / "worker-1") == []
    text = f"two workers have the loss curve of one, to {RELATIVE:g} of its value"
    promise(Promise(SECTION, text, num_equal, len(kinds), note=f"largest difference {largest:.1g}"))
    promise(Promise(SECTION, "only the chief writes", num_silent, len(kinds)))


@pytest.fixture
def full_size(is_smallest):
    """These start many processes: the smallest size has no time for them."""
    if is_smallest:
        pytest.skip("at full size only")


@pytest.mark.usefixtures("full_size")
def test_a_worker_that_is_killed_ends_the_job_and_it_goes_on(tmp_path, promise):
    rng, num_cases = random.Random(0), 8
    options = ["--model", "historic", *SMALL["historic"], "--epochs", "40"]
    run_whole(*start_two(tmp_path / "whole", *options))
    whole = losses(tmp_path / "whole/worker-0")
    num_ended, num_whole, longest = 0, 0, 0.0
    for case in range(num_cases):
        folder, victim = tmp_path / str(case), case % 2
        workers = start_two(folder, *options)
        wait_for_checkpoint(folder / "worker-0", workers)
        time.sleep(rng.uniform(0, 1))
        workers[victim].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        code, err = end(workers[1 - victim])
        longest = max(longest, time.monotonic() - killed)
        num_ended += code == 2 and err.startswith(LOST) and err.count("\n") == 1 and longest < LIMIT
        end(workers[victim])
        assert len(losses(folder / "worker-0")) < len(whole), "killed when all was done"
        run_whole(*start_two(folder, *options, "--resume"))
        num_whole += np.array_equal(losses(folder / "worker-0"), whole)
    text = f"kill -9 of a worker ends the other with one sentence, exit code 2, within {LIMIT:.0f} s"
    note = f"longest {longest:.1f} s"
    promise(Promise(SECTION, text, num_ended, num_cases, is_random=True, note=note))
    text = (
        "started again, they go on from the last whole checkpoint to the losses of a job that was not killed"
    )
    promise(Promise(SECTION, text, num_whole, num_cases, is_random=True))


@pytest.mark.usefixtures("full_size")
@pytest.mark.parametrize("index", [0, 1])
def test_a_worker_that_never_comes_is_not_waited_for_without_end(promise, index):
    program = (
        "from attn.quiet import silence_tensorflow\nsilence_tensorflow()\n"
        "from attn.cluster import Cluster\nfrom attn.workers import Workers\n"
        f"try:\n    Workers(Cluster({tuple(free_addresses(2))!r}, {index}), 2)\n"
        "except ValueError as error:\n    print(error)\n"
    )
    asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    kept = asked.stdout.startswith("all 2 workers must come within 2 s") and asked.returncode == 0
    text = f"worker {index} of two that waits for the other in vain says so, and ends"
    promise(Promise(SECTION, text, int(kept), 1, note="" if kept else asked.stdout + asked.stderr))


@pytest.mark.usefixtures("full_size")
def test_workers_that_are_given_different_commands_do_not_train(tmp_path, promise):
    addresses = free_addresses(2)
    options = ["--model", "historic", *SMALL["historic"], "--epochs", "1"]
    workers = [
        start(tmp_path / str(i), *options, "--seed", str(i), addresses=addresses, index=i) for i in range(2)
    ]
    (chief_code, chief), (code, err) = (end(worker) for worker in workers)
    kept = code == chief_code == 2 and "must be given the same model, training and data" in err
    kept = kept and chief.startswith(LOST) and files(tmp_path / "1") == []
    text = "workers that are given different commands end with one sentence each"
    promise(Promise(SECTION, text, int(kept), 1, note="" if kept else f"{chief} {err}"))
