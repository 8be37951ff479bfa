"""A training that is killed: what it had finished is there, and it goes on as if it had not been."""

import shutil
import signal
from functools import partial

import numpy as np

from attn.catalogue import read_summary, run_directories
from attn.tensors import load_tensors
from tests.reliability import children
from tests.reliability.kills import SECTION, Moments, kill_after, operations, wait_for, watch
from tests.reliability.ledger import Promise
from tests.reliability.small_training import PREPARE, RUN, TRAIN, is_same_training, resumed

NUM_KILLS = 50


def num_told(folder):
    """Epochs of which the command has said that they are done."""
    return children.printed(folder).count("epoch ") if children.output_of(folder).exists() else 0


def check_training(folder):
    """What must hold of a run at whatever moment its training was killed; gives the phase of that moment."""
    run = folder / RUN
    if not run.exists():
        assert num_told(folder) == 0
        assert run_directories(folder / "runs") == []
        return "before there was a run"
    summary = read_summary(run)
    checkpoints = sorted(run.glob("checkpoints/step-*.safetensors"))
    steps = [load_tensors(path).description["step"] for path in checkpoints]  # each is whole
    assert len(steps) <= 4  # three, and the new one before the oldest is gone
    assert max(steps, default=0) >= 2 * num_told(folder)
    assert len(summary.history) >= max(steps, default=0) // 2
    if not steps:
        return "before the first checkpoint"
    return "after the last step" if (run / "weights.safetensors").exists() else "between checkpoints"


def test_training_killed_at_random_moments_goes_on_as_if_it_had_not_been(tmp_path, promise, is_smallest):
    """One training is killed again and again until it is done; then the next."""
    num_kills, epochs = (1, 6) if is_smallest else (NUM_KILLS, 60)
    arguments = [*TRAIN, "--epochs", str(epochs)]
    prepare = PREPARE if is_smallest else (children.without_pictures,)
    whole = tmp_path / "whole"
    first, span = watch(lambda: num_told(whole), arguments, whole, *prepare)
    rng, moments, num_kept, number = np.random.default_rng(0), Moments(), 0, 0
    while moments.num < num_kills:
        folder, number = tmp_path / f"killed-{number}", number + 1
        before = moments.num
        while True:
            told, child = num_told(folder), children.start(resumed(folder, arguments), folder, *prepare)
            if moments.num == num_kills:
                child.join()
                break
            is_early = rng.random() < 0.15  # while the model is made and compiled
            if not is_early:
                wait_for(lambda told=told, folder=folder: num_told(folder) > told, child)
            if not kill_after(child, rng.uniform(0, first if is_early else span / 3)):
                break
            moments.add(check_training(folder), folder)
        assert child.exitcode == 0, children.printed(folder)
        num_kept += (moments.num - before) * is_same_training(folder, whole)
        shutil.rmtree(folder)
    promise(
        Promise(
            SECTION,
            "a training killed at a random moment loads, has lost no epoch that it had told, and goes on to"
            " the losses of an uninterrupted one, to 1e-6",
            num_kept,
            num_kills,
            is_random=True,
            note=f"{moments}; {number} trainings of {epochs} epochs",
        )
    )


def test_training_killed_before_every_change_of_a_file_goes_on_as_if_it_had_not_been(
    tmp_path, promise, is_smallest
):
    arguments = [*TRAIN, "--epochs", "5"]
    whole = tmp_path / "whole"
    numbers = operations(arguments, whole, PREPARE, is_smallest)
    moments, num_kept = Moments(), 0
    for number in numbers:
        folder = tmp_path / f"killed-{number}"
        assert (
            children.finish(arguments, folder, *PREPARE, partial(children.kill_before, number))
            == -signal.SIGKILL
        )
        moments.add(check_training(folder), folder)
        code = children.finish(resumed(folder, arguments), folder, *PREPARE)
        assert code == 0, children.printed(folder)
        num_kept += is_same_training(folder, whole)
        shutil.rmtree(folder)
    promise(
        Promise(
            SECTION,
            "the same before every single change of a file that a training of five epochs makes",
            num_kept,
            len(numbers),
            note=str(moments),
        )
    )
