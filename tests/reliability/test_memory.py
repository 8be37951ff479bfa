"""Requests that cannot fit, and what those that fit take beside what was estimated."""

import os
import threading
import time

import numpy as np
import pytest

from attn import memory
from attn.commands.answers import Setting, answer
from attn.commands.source import drawn
from attn.files import cached_pairs
from attn.models import PairSmootherConfig, build_model, num_weights
from attn.processes import PairProcess
from attn.rollout import to_points
from attn.runs import find_run, load_run
from attn.stream import Stream
from attn.trainer import TrainConfig, Trainer
from tests.reliability.harness import run
from tests.reliability.ledger import Promise

pytestmark = pytest.mark.usefixtures("in_this_process")

HUGE = 10**11
REQUESTS = [
    f"attn data --kernel rbf_const_2D --number {HUGE} --no-overwrite",
    f"attn data --kernel rbf --number 1000 --num-points {HUGE} --no-overwrite",
    f"attn train --run new --batch-size {HUGE}",
    f"attn train --run new --num-points {HUGE}",
    f"attn train --run new --num-test-pairs {HUGE}",
    "attn train --run new --width 4000000",
    f"attn train --run new --layers {HUGE}",
    f"attn train --run new --model historic --width {HUGE}",
    f"attn infer --run corrected --number {HUGE}",
    f"attn infer --run corrected --samples {HUGE}",
    f"attn infer --run corrected --num-points {HUGE}",
    f"diagnose check --subject corrected --num-pairs {HUGE}",
    f"diagnose report --subject corrected --num-pairs {HUGE} --out out",
    f"diagnose baseline --subject corrected --num-pairs {HUGE} --out out.json",
]
PROCESS = PairProcess(num_points=50)
MOST = 4.0  # times the estimate that a peak may reach


def test_refused(tmp_path, promise):
    refused = []
    for request in REQUESTS:
        program, *arguments = request.split()
        began = time.monotonic()
        ended = run(program, arguments, tmp_path)
        in_time = time.monotonic() - began < 30
        if ended.wrong is None and ended.code == 2 and "of memory; " in ended.err and in_time:
            refused.append(request)
    missed = ", ".join(request for request in REQUESTS if request not in refused)
    text = "a request that cannot fit into memory is refused before it starts, with the estimate"
    promise(Promise("memory", text, len(refused), len(REQUESTS), note=missed))


def peak_of(work) -> int:
    """Bytes by which the memory of this process rises above what it had, at most, while `work` is done."""

    def held():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before, seen, is_done = held(), [0], threading.Event()

    def watch():
        while not is_done.wait(0.001):
            seen.append(held() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        is_done.set()
        watcher.join()
    return max(seen)


def drawing(folder, num_pairs):
    cached_pairs(folder / str(num_pairs), PROCESS, num_pairs, seed=0)


def training(batch_size):
    config = PairSmootherConfig()
    trainer = Trainer(build_model(config, 0), TrainConfig(num_epochs=1, steps_per_epoch=2))
    batch = to_points(Stream(PROCESS, "mixed", 13, batch_size, seed=0).batch(0))
    for _ in range(2):
        trainer.step(batch).numpy()


def inferring(num_pairs, num_samples):
    model = load_run(find_run("corrected")).model
    setting = Setting(1, 13, True, True, None, num_samples, "sample")
    answer(model, drawn(PROCESS, num_pairs, 0), setting, seed=0)


def test_estimates(tmp_path, promise, is_smallest):
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("the system does not say what a process takes")
    config = PairSmootherConfig()
    num_maps = config.num_layers * config.num_heads
    requests = [
        ("data", memory.of_pairs(50_000, 100), lambda: drawing(tmp_path, 50_000)),
        ("data", memory.of_pairs(150_000, 100), lambda: drawing(tmp_path, 150_000)),
        ("train", memory.of_training(num_weights(config), num_maps, 128, 100), lambda: training(128)),
        ("train", memory.of_training(num_weights(config), num_maps, 256, 100), lambda: training(256)),
        ("infer", memory.of_inference(2000, 100, 37, 200), lambda: inferring(2000, 200)),
    ]
    ratios = [
        (kind, peak_of(work) / estimate) for kind, estimate, work in requests[: 1 if is_smallest else None]
    ]
    note = "peak / estimate: " + ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in ratios)
    kept = sum(0.9 < ratio < MOST for _, ratio in ratios)
    text = "the estimate is no more than the peak, and at least a quarter of it"
    promise(Promise("memory", text, kept, len(ratios), note=note))


def test_no_estimate_refuses_what_is_ordinary(promise):
    """What the shipped runs and the defaults of the commands need, on a machine with 1 GiB to spare."""
    config, gib = PairSmootherConfig(), 1 << 30
    num_maps = config.num_layers * config.num_heads
    ordinary = [
        memory.of_pairs(100_000, 100),
        memory.of_weights(num_weights(config), config.num_layers),
        memory.of_training(num_weights(config), num_maps, 64, 100),
        memory.of_inference(64, 100, 37, 20),
        memory.of_inference(1000, 400, 187, 50),
        memory.of_scenario(512, 400),
    ]
    kept = int(np.sum(np.array(ordinary) < gib))
    promise(Promise("memory", "what is ordinary is not refused where 1 GiB is free", kept, len(ordinary)))
