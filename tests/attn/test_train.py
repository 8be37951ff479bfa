import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import numpy as np
import pytest

from attn.checksums import read_sums, record_sums
from attn.locks import locked_run
from attn.models import HistoricConfig, PairTransformerConfig, build_model
from attn.processes import PairProcess
from attn.rollout import to_points
from attn.runs import RunError, load_run, weights_of
from attn.shards import Shards, write_shards
from attn.train import TrainConfig, train

PROCESS = PairProcess(num_points=5)
SMALL = PairTransformerConfig(width=8, num_layers=1, num_heads=2, hidden_dim=8)
QUICK = TrainConfig(
    num_context=2, num_epochs=5, steps_per_epoch=3, batch_size=4, warmup_steps=2, num_test_pairs=8
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "whole", SMALL, QUICK, PROCESS)


def losses(run):
    return [(row["train_loss"], row["test_loss"]) for row in run.history]


def test_every_epoch_has_its_figures(whole):
    assert [row["step"] for row in whole.history] == [3, 6, 9, 12, 15]
    wanted = {"seconds", "learning_rate", "train_loss", "test_loss", "train_mse", "test_mse"}
    wanted |= {f"{part}_r2_series_{series}" for part in ("train", "test") for series in (0, 1)}
    assert wanted <= whole.history[-1].keys()
    assert whole.history[-1]["learning_rate"] == pytest.approx(0, abs=1e-9)


def test_the_last_three_checkpoints_are_kept(whole):
    names = sorted(path.name for path in (whole.directory / "checkpoints").iterdir())
    assert names == [f"step-{step:09d}.safetensors" for step in (9, 12, 15)]


def test_a_run_cut_short_goes_on_as_if_it_had_not_been(whole, tmp_path):
    class StopError(Exception):
        pass

    def stop(progress):
        if progress.step == 8:
            raise StopError

    with pytest.raises(StopError):
        train(tmp_path / "cut", SMALL, QUICK, PROCESS, on_progress=stop)
    resumed = train(tmp_path / "cut", SMALL, QUICK, PROCESS, resume=True)
    np.testing.assert_allclose(losses(resumed), losses(whole), rtol=1e-6)
    for one, other in zip(resumed.model.trainable_variables, whole.model.trainable_variables, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.slow
def test_a_checkpoint_that_was_cut_is_passed_over(whole, tmp_path):
    class StopError(Exception):
        pass

    def stop(progress):
        if progress.step == 10:
            raise StopError

    with pytest.raises(StopError):
        train(tmp_path / "cut", SMALL, QUICK, PROCESS, on_progress=stop)
    newest = tmp_path / "cut/checkpoints/step-000000009.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    resumed = train(tmp_path / "cut", SMALL, QUICK, PROCESS, resume=True)
    np.testing.assert_allclose(losses(resumed), losses(whole), rtol=1e-6)


@pytest.mark.slow
def test_kill_minus_nine_loses_nothing_that_was_finished(tmp_path):
    config = replace(QUICK, num_epochs=400)
    script = textwrap.dedent(f"""
        from pathlib import Path
        from attn.models import PairTransformerConfig
        from attn.processes import PairProcess
        from attn.train import TrainConfig, train
        train(Path({str(tmp_path / "killed")!r}), {SMALL!r}, {config!r}, PairProcess(num_points=5))
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    checkpoints = tmp_path / "killed/checkpoints"
    deadline = time.monotonic() + 90
    while len(list(checkpoints.glob("step-*"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    steps = [int(path.stem.split("-")[1]) for path in checkpoints.glob("step-*.safetensors")]
    assert steps, "the training wrote no checkpoint"
    with pytest.raises(RunError, match=r"num_epochs must be 400, as when .* was begun; got 5"):
        train(tmp_path / "killed", SMALL, QUICK, PROCESS, resume=True)
    seen = []

    class EnoughError(Exception):
        pass

    def first(progress):
        seen.append(progress.step)
        raise EnoughError

    with pytest.raises(EnoughError):
        train(tmp_path / "killed", SMALL, config, PROCESS, resume=True, on_progress=first)
    assert seen[0] == max(steps) + 1


def test_a_run_that_exists_is_not_touched(whole):
    before = {path: path.read_bytes() for path in whole.directory.glob("*.*")}
    with pytest.raises(RunError, match="a new run needs a directory that does not exist"):
        train(whole.directory, SMALL, QUICK, PROCESS)
    assert before == {path: path.read_bytes() for path in whole.directory.glob("*.*")}


def test_a_run_goes_on_only_as_what_it_was_begun_as(whole):
    with pytest.raises(RunError, match=r"num_heads must be 2, as when .* was begun; got 4"):
        train(whole.directory, replace(SMALL, num_heads=4), QUICK, PROCESS, resume=True)
    with pytest.raises(RunError, match=r"noise_scale must be 0\.1, as when .* was begun; got 0\.2"):
        train(whole.directory, SMALL, QUICK, replace(PROCESS, noise_scale=0.2), resume=True)


def test_a_finished_run_resumes_to_itself(whole):
    again = train(whole.directory, SMALL, QUICK, PROCESS, resume=True)
    assert losses(again) == losses(whole)


def test_a_run_on_shards_does_not_go_on_with_others(whole, tmp_path):
    shards = Shards(tmp_path / "shards", PROCESS, num_pairs=20, num_shards=5, seed=1)
    write_shards(shards)
    begun = shutil.copytree(whole.directory, tmp_path / "begun")
    spec = json.loads((begun / "spec.json").read_text())
    of_others = {**spec, "process": None, "shards": {**shards.spec, "seed": 2}}
    (begun / "spec.json").write_text(json.dumps(of_others))
    (begun / "SHA256SUMS").unlink()
    with pytest.raises(RunError, match=r"^seed must be 2, as when .* was begun; got 1$"):
        train(begun, SMALL, QUICK, shards, resume=True)


def test_overfit_learns_one_batch_by_heart(tmp_path):
    config = replace(
        QUICK, overfit=True, num_epochs=4, steps_per_epoch=60, warmup_steps=20, learning_rate=1e-2
    )
    # by the original's loss, which has no bound below, scales shrink sooner than errors
    model = HistoricConfig(width=16, layer_dims=(16, 16, 8), labels_in_qk=True, half_log_sigma=False)
    run = train(tmp_path / "fit", model, config, PROCESS)
    assert run.history[-1]["train_mse"] < 0.2 * run.history[0]["train_mse"]
    assert run.history[-1]["test_mse"] == run.history[-1]["train_mse"]


@pytest.mark.slow
def test_training_on_pairs_from_a_file_has_no_process(tmp_path):
    pairs = PROCESS.sample(12, np.random.default_rng(0))
    run = train(tmp_path / "pairs", SMALL, replace(QUICK, num_epochs=1), pairs)
    assert run.process is None
    assert load_run(run.directory).spec["process"] is None


def test_a_run_on_pairs_goes_on_with_the_same_pairs_only(tmp_path):
    pairs = PROCESS.sample(12, np.random.default_rng(0))
    config = replace(QUICK, num_epochs=1)
    begun = train(tmp_path / "pairs", SMALL, config, pairs)
    same = replace(pairs, y=pairs.y.copy())
    assert losses(train(tmp_path / "pairs", SMALL, config, same, resume=True)) == losses(begun)
    with pytest.raises(RunError, match=r"pairs_sha256 must be .*, as when .* was begun; got"):
        train(tmp_path / "pairs", SMALL, config, replace(pairs, y=pairs.y + 1), resume=True)


@pytest.mark.slow
def test_a_run_of_an_earlier_version_goes_on_where_a_new_field_has_its_default(tmp_path):
    config = replace(QUICK, num_epochs=1)
    begun = train(tmp_path / "old", SMALL, config, PROCESS)
    spec = json.loads((tmp_path / "old/spec.json").read_text())
    del spec["process"]["offset_scale"], spec["pairs"], spec["shards"]
    (tmp_path / "old/spec.json").write_text(json.dumps(spec))
    (tmp_path / "old/SHA256SUMS").unlink()
    assert losses(train(tmp_path / "old", SMALL, config, PROCESS, resume=True)) == losses(begun)
    with pytest.raises(RunError, match=r"offset_scale must be 2\.0, as when .* was begun; got 1"):
        train(tmp_path / "old", SMALL, config, replace(PROCESS, offset_scale=1.0), resume=True)


def weights(run):
    return {weight.path: weight.numpy() for weight in run.model.trainable_variables}


def test_training_starts_from_the_weights_of_a_run(whole, tmp_path):
    """One step that is too small to be seen, with a seed that would have drawn other weights."""
    config = replace(QUICK, num_epochs=1, steps_per_epoch=1, warmup_steps=0, learning_rate=1e-12, seed=7)
    run = train(tmp_path / "on", SMALL, config, PROCESS, start_from=whole.directory)
    assert weights(run).keys() == weights(whole).keys()
    for path, value in weights(whole).items():
        np.testing.assert_allclose(weights(run)[path], value, atol=1e-9)
    drawn = weights_of(build_model(SMALL, config.seed))
    assert any(np.abs(drawn[path] - value).max() > 0.1 for path, value in weights(whole).items())


@pytest.mark.slow
def test_what_a_training_started_from_is_recorded_and_holds_when_it_is_resumed(whole, tmp_path):
    config = replace(QUICK, num_epochs=1)
    begun = train(tmp_path / "on", SMALL, config, PROCESS, start_from=whole.directory)
    sha = hashlib.sha256((whole.directory / "weights.safetensors").read_bytes()).hexdigest()
    assert begun.spec["start_from"] == {"starting_run": "whole", "starting_weights": sha}
    assert whole.spec["start_from"] is None
    again = train(tmp_path / "on", SMALL, config, PROCESS, start_from=whole.directory, resume=True)
    assert losses(again) == losses(begun)
    with pytest.raises(RunError, match=r"starting_run must be whole, as when .* was begun; got None"):
        train(tmp_path / "on", SMALL, config, PROCESS, resume=True)


@pytest.mark.slow
def test_a_training_cut_short_before_its_first_checkpoint_starts_from_the_run_again(whole, tmp_path):
    config = replace(QUICK, num_epochs=2)
    wanted = train(tmp_path / "wanted", SMALL, config, PROCESS, start_from=whole.directory)

    def interrupt(progress):
        if progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", SMALL, config, PROCESS, start_from=whole.directory, on_progress=interrupt)
    cut = train(tmp_path / "cut", SMALL, config, PROCESS, start_from=whole.directory, resume=True)
    assert losses(cut) == losses(wanted)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (replace(SMALL, num_heads=1), r"num_heads must be 2, as when .* was trained; got 1"),
        (HistoricConfig(width=8), r"kind must be pair_transformer, as when .* was trained; got historic"),
    ],
)
def test_another_model_cannot_start_from_a_run_and_leaves_no_directory(whole, tmp_path, other, sentence):
    with pytest.raises(RunError, match=sentence):
        train(tmp_path / "on", other, QUICK, PROCESS, start_from=whole.directory)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_epochs": 0}, "num_epochs must be at least 1; got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be finite and above 0; got nan"),
        ({"optimizer": "sgd"}, "optimizer must be one of adam, adamw, muon; got 'sgd'"),
        ({"seed": -1}, "must not be negative"),
    ],
)
def test_impossible_training_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        TrainConfig(**changes)


def test_a_finished_run_is_not_trained_again_though_its_checkpoints_are_gone(whole, tmp_path):
    run = shutil.copytree(whole.directory, tmp_path / "run")
    shutil.rmtree(run / "checkpoints")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    again = train(run, SMALL, QUICK, PROCESS, resume=True)
    assert losses(again) == losses(whole)
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["history.json", "weights.safetensors"])
def test_a_damaged_run_is_made_whole_from_its_checkpoint_with_a_warning(name, whole, tmp_path, caplog):
    run = shutil.copytree(whole.directory, tmp_path / "run")
    content = bytearray((run / name).read_bytes())
    content[-20] ^= 1
    (run / name).write_bytes(content)
    with pytest.raises(RunError, match=name):
        load_run(run)
    again = train(run, SMALL, QUICK, PROCESS, resume=True)
    assert again.history == whole.history
    assert all(np.array_equal(weights(again)[path], value) for path, value in weights(whole).items())
    assert f"{name} is damaged" in caplog.text
    assert "made again from the last whole checkpoint" in caplog.text


def test_a_run_has_the_checksums_of_its_files_from_the_beginning(whole, tmp_path):
    def first(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "begun", SMALL, QUICK, PROCESS, on_progress=first)
    assert read_sums(tmp_path / "begun").keys() == {"spec.json", "config.toml"}
    assert read_sums(whole.directory) == {
        name: hashlib.sha256((whole.directory / name).read_bytes()).hexdigest()
        for name in ("spec.json", "config.toml", "history.json", "weights.safetensors")
    }


def test_a_training_killed_before_its_checksums_were_taken_gets_them(whole, tmp_path):
    run = shutil.copytree(whole.directory, tmp_path / "run")
    record_sums(run, ["spec.json", "config.toml"])
    train(run, SMALL, QUICK, PROCESS, resume=True)
    assert read_sums(run) == read_sums(whole.directory)


def test_a_run_that_another_process_changes_is_not_trained(whole):
    with locked_run(whole.directory, "deleted"), pytest.raises(RunError, match="one process at a time"):
        train(whole.directory, SMALL, QUICK, PROCESS, resume=True)


def test_a_name_that_is_none_of_a_run_leaves_nothing(tmp_path):
    with pytest.raises(RunError, match="the name of a run must be"):
        train(tmp_path / "runs/a b", SMALL, QUICK, PROCESS)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def unknown_y(monkeypatch):
    """Makes every y of the steps of those numbers NaN, counted from 1."""

    def of(numbers):
        made = itertools.count(1)

        def spoilt(batch):
            points = to_points(batch)
            return points._replace(y=points.y * float("nan")) if next(made) in numbers else points

        monkeypatch.setattr("attn.train.to_points", spoilt)

    return of


def test_steps_that_cannot_be_taken_are_counted_and_the_others_go_on(tmp_path, unknown_y):
    unknown_y({2, 7, 8})
    run = train(tmp_path / "r", SMALL, replace(QUICK, num_epochs=4), PROCESS)
    assert [row["skipped_steps"] for row in run.history] == [1, 0, 2, 0]
    assert all(np.isfinite(row["train_loss"]) for row in run.history)


def test_a_training_that_has_gone_astray_is_stopped(tmp_path):
    config = replace(QUICK, steps_per_epoch=30, num_epochs=1, learning_rate=1e30, warmup_steps=0)
    seen = []
    with pytest.raises(
        RunError, match=r"finite in one of 10 steps in a row; up to step \d+ they were in none"
    ):
        train(tmp_path / "r", SMALL, config, PROCESS, on_progress=lambda progress: seen.append(progress.step))
    assert len(seen) < 30
    assert not (tmp_path / "r/weights.safetensors").exists()


def test_an_epoch_is_never_skipped_whole(tmp_path, unknown_y):
    unknown_y({1, 2, 3})
    with pytest.raises(RunError, match=r"in one of 3 steps in a row; up to step 3 they were in none"):
        train(tmp_path / "r", SMALL, QUICK, PROCESS)
