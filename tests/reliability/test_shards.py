"""Training on data larger than memory: the memory that it takes, and the order in which pairs are seen."""

import json
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import linregress, t

from attn.files import write_whole
from attn.models import HistoricConfig
from attn.processes import PairProcess
from attn.runs import weights_of
from attn.shards import Shards, write_shards
from attn.stream import Stream
from attn.train import TrainConfig, train
from diagnostics.plots.style import BLUE, GREY, VERMILLION, render_png
from tests.reliability.ledger import Promise
from tests.reliability.shard_training import NUM_EPOCHS

SECTION = "Data larger than memory"
PROCESS = PairProcess()
NUM_SHARDS = 40
# Growth that counts as none, over a whole training: what allocators keep is given back late or never.
NO_GROWTH = 64 * 2**20
NUM_STRETCHES = 16


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """40 shards of 50 pairs of 100 points."""
    shards = Shards(tmp_path_factory.mktemp("shards"), PROCESS, 50 * NUM_SHARDS, NUM_SHARDS, seed=0)
    write_shards(shards)
    return shards


class TestMemory:
    def test_it_is_constant_while_a_million_pairs_pass(self, tmp_path, promise, is_smallest, report_folder):
        num_pairs, num_shards, batch_size = (5_000, 25, 100) if is_smallest else (1_250_000, 312, 250)
        num_passing = 4 * num_pairs // 5
        with TemporaryDirectory(dir=tmp_path) as folder:  # a gigabyte that nobody needs afterwards
            shards = Shards(Path(folder), PROCESS, num_pairs, num_shards, seed=0)
            began = time.perf_counter()
            write_shards(shards)
            drawn_per_second = num_pairs / (time.perf_counter() - began)
            on_disk = sum(path.stat().st_size for path in shards.folder.iterdir()) / num_pairs
            seen = measure(shards.folder, tmp_path / "r", num_passing // batch_size // NUM_EPOCHS, batch_size)
        curve = np.array(seen["curve"], float)
        assert curve[-1, 0] == num_passing
        slope, low, high = slope_with_interval(curve[curve[:, 0] >= num_passing / 2])
        found = f"{slope:.3g} [{low:.3g}, {high:.3g}] bytes a pair over the second half"
        text = f"{num_passing} pairs of {shards.num_points} points pass through training in constant memory"
        note = (
            f"{found}, and {on_disk:.0f} on the disk; in all {curve[-1, 1] / 2**20:.0f} MiB, of which"
            f" TensorFlow and imports are {curve[0, 1] / 2**20:.0f}; pairs a second:"
            f" {drawn_per_second:.0f} drawn and written,"
            f" {seen['read']:.0f} read, {seen['arranged']:.0f} read and arranged,"
            f" {seen['trained']:.0f} trained on by a tiny model, which waits for data"
            f" {100 * seen['waiting']:.1f} % of its time"
        )
        if report_folder is not None:
            report_folder.mkdir(parents=True, exist_ok=True)
            with write_whole(report_folder / "shards.png") as file:
                file.write(render_png(lambda ax: draw_memory(ax, curve, on_disk, found)))
        promise(Promise(SECTION, text, int(high * num_passing < NO_GROWTH), 1, note=note))


def measure(shards: Path, run: Path, steps_per_epoch: int, batch_size: int) -> dict:
    """What `tests.reliability.shard_training` prints."""
    command = [sys.executable, "-m", "tests.reliability.shard_training", shards, run]
    command += [str(steps_per_epoch), str(batch_size)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def slope_with_interval(curve):
    """Bytes a pair, and its 95 % interval: least squares through the means of consecutive stretches.

    Neighbouring points of the curve are all but the same measurement; the means of stretches are nearly
    independent.
    """
    means = np.array([part.mean(axis=0) for part in np.array_split(curve, NUM_STRETCHES)])
    line = linregress(means[:, 0], means[:, 1])
    half = t.ppf(0.975, len(means) - 2) * line.stderr
    return line.slope, line.slope - half, line.slope + half


def draw_memory(ax, curve, on_disk, found):
    """Resident memory against pairs seen, beside what it would be if pairs stayed in memory."""
    pairs, resident = curve[:, 0] / 1e6, curve[:, 1] / 1e9
    level = np.median(resident[len(resident) // 2 :])
    kept = level + curve[:, 0] * on_disk / 1e9
    ax.plot(pairs, kept, color=VERMILLION, ls="--", label="if pairs stayed in memory")
    ax.plot(pairs, resident, color=BLUE, label="measured")
    ax.axhline(resident[0], color=GREY, ls=":", label="TensorFlow and imports alone")
    ax.set(title=found, xlabel="million pairs seen", ylabel="resident memory, GB")
    ax.set(xlim=(0, pairs[-1]), ylim=(0, None))
    ax.figure.legend(loc="outside lower center", ncols=2)
    return ax


class TestOrder:
    def test_any_step_may_be_the_first_and_workers_share_it(self, shards, promise, is_smallest):
        rng = np.random.default_rng(0)
        num_cases = 3 if is_smallest else 50
        num_kept = 0
        for _ in range(num_cases):
            batch_size = int(rng.integers(2, 65))
            stream = Stream(shards, "mixed", 13, batch_size, seed=int(rng.integers(1000)))
            start = int(rng.integers(0, 2 * shards.num_pairs // batch_size))
            later = start + int(rng.integers(0, 20))
            whole = list(islice(stream.batches(start, later + 2), later - start, None))
            between = int(rng.integers(1, batch_size))
            num_kept += all(
                np.array_equal(own.y, batch.y[rows])
                and np.array_equal(own.num_context, batch.num_context[rows])
                for rows in (slice(0, between), slice(between, batch_size))
                for own, batch in zip(stream.batches(later, later + 2, rows), whole, strict=True)
            )
        text = "begun at any step, and shared by two workers, a training sees what it would have seen"
        promise(Promise(SECTION, text, num_kept, num_cases, is_random=True))

    @pytest.mark.filterwarnings("ignore:Even though the")
    def test_a_training_that_goes_on_ends_the_same(self, shards, tmp_path, promise, is_smallest):
        tf.config.run_functions_eagerly(True)  # a few steps of a tiny model are not worth compiling
        rng = np.random.default_rng(0)
        num_cases = 1 if is_smallest else 5
        num_kept = 0
        for case in range(num_cases):
            config = TrainConfig(
                num_epochs=2, steps_per_epoch=3, batch_size=4, num_test_pairs=4, seed=int(rng.integers(1000))
            )
            model = HistoricConfig(width=4, num_heads=1, layer_dims=(4, 4, 4))
            whole = train(tmp_path / f"whole-{case}", model, config, shards)
            last = int(rng.integers(1, config.num_steps))
            with pytest.raises(Killed):
                train(tmp_path / f"other-{case}", model, config, shards, on_progress=kill_at(last))
            other = train(tmp_path / f"other-{case}", model, config, shards, resume=True)
            one, again = weights_of(whole.model), weights_of(other.model)
            num_kept += all(np.array_equal(one[name], again[name]) for name in one)
        tf.config.run_functions_eagerly(False)
        text = "a training on shards that is interrupted and goes on ends with the same weights, bit for bit"
        promise(Promise(SECTION, text, num_kept, num_cases, is_random=True))


class Killed(BaseException):
    """Ends a training."""


def kill_at(step):
    def on_progress(progress):
        if progress.step == step:
            raise Killed

    return on_progress
