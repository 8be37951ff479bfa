"""Turned bits, cut files, and files of other versions: refused in a sentence that names them, or harmless."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from attn.archive import export_run, import_run
from attn.catalogue import WEIGHTS, read_summary
from attn.checksums import SUMS
from attn.commands.config_file import ConfigFile
from attn.files import load_pairs, save_pairs
from attn.models import HistoricConfig, build_model
from attn.processes import PairProcess
from attn.runs import RunError, load_run, weights_of
from attn.tensors import load_tensors, save_tensors
from attn.train import TrainConfig, train
from attn.trainer import Trainer
from diagnostics.failures import Failure, load_failure, store_failures
from diagnostics.regression.baseline import Baseline, KeptMeasure, Plan, read_baseline, write_baseline
from diagnostics.result import Environment
from tests.reliability.ledger import Promise

SECTION = "Damaged files"
PROCESS = PairProcess(num_points=4)
MODEL = HistoricConfig(width=4, num_heads=1, layer_dims=(4, 4, 4), num_rows=20)
CONFIG = TrainConfig(
    num_context=2, num_epochs=3, steps_per_epoch=1, batch_size=2, warmup_steps=1, num_test_pairs=2
)
FAILURE = Failure(
    spec="my:model", check="no_future_leak", seed=3, num_pairs=16, status="failed", detail="it leaks by 0.25"
)
BASELINE = Baseline(
    subject="mine",
    environment=Environment(python="3.11", platform="Linux", packages={"numpy": "2"}),
    process={"kernel": "rbf", "length_scale": 1.0},
    plan=Plan(seed=0, num_pairs=4, num_context=2),
    statuses={"no_future_leak": "passed"},
    mean_y=[0.25, -1.5, 3.0, 0.125],
    measures=(KeptMeasure(name="rmse", value=0.5, sums=[[0.25, 1.0], [1.5, 2.0], [0.5, 1.0], [1.0, 1.0]]),),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with one of everything that is read again."""
    folder = tmp_path_factory.mktemp("whole")
    tf.config.run_functions_eagerly(True)  # a few steps are done before they would be compiled
    try:
        train(folder / "r", MODEL, CONFIG, PROCESS)
    finally:
        tf.config.run_functions_eagerly(False)
    export_run(folder / "r", folder / "r.zip")
    save_pairs(folder / "pairs.npz", PROCESS.sample(3, np.random.default_rng(0)), {"kernel": "rbf"})
    write_baseline(folder / "baseline.json", BASELINE)
    store_failures(folder, [FAILURE])
    return folder


@pytest.fixture
def damaged(whole, tmp_path):
    """A copy to damage."""
    return shutil.copytree(whole, tmp_path / "damaged")


def run_of(folder):
    """What is loaded of a run, by the parts of `load_run` that read: it builds the model besides."""
    summary, tensors = read_summary(folder / "r"), load_tensors(folder / "r" / WEIGHTS)
    return summary.spec, summary.history, tensors.description, _bytes(tensors.arrays)


def pairs_of(folder):
    saved = load_pairs(folder / "pairs.npz")
    return saved.spec, _bytes({name: getattr(saved.pairs, name) for name in ("x", "series", "y", "valid")})


def archive_of(folder):
    """What is imported, file by file; what is refused leaves nothing behind."""
    runs = folder / "imported"
    shutil.rmtree(runs, ignore_errors=True)
    try:
        run = import_run(folder / "r.zip", runs)
    except ValueError:
        assert list(runs.glob("*")) == []
        raise
    return run.name, {path.name: path.read_bytes() for path in run.iterdir()}


def _bytes(arrays):
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items()}


@dataclass(frozen=True)
class Kept:
    """A file that is read again: where it stands, and what is loaded from its folder."""

    name: str
    load: Callable[[Path], object]

    def outcome(self, folder, content, whole):
        """Refused by name, without effect, or a sentence that says what went wrong."""
        (folder / self.name).write_bytes(content)
        try:
            loaded = self.load(folder)
        except ValueError as error:
            is_told = Path(self.name).name in str(error) and "\n" not in str(error)
            return "refused" if is_told else f"refused without its name: {error}"
        return "without effect" if loaded == whole else "loaded otherwise than written"


FILES = [
    Kept("r/spec.json", run_of),
    Kept("r/history.json", run_of),
    Kept(f"r/{WEIGHTS}", run_of),
    Kept(f"r/{SUMS}", run_of),
    Kept("r/config.toml", lambda folder: ConfigFile.read(folder / "r/config.toml", frozenset()).tables),
    Kept("r.zip", archive_of),
    Kept("pairs.npz", pairs_of),
    Kept("baseline.json", lambda folder: read_baseline(folder / "baseline.json")),
    Kept(f"{FAILURE.id}.json", lambda folder: load_failure(folder, FAILURE.id)),
]


def turned(content, rng, num_bits):
    """The content with one bit turned, for so many different bits."""
    for bit in rng.choice(8 * len(content), min(num_bits, 8 * len(content)), replace=False):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def cut(content, rng, num_lengths):
    """The first bytes of the content, so many times."""
    for length in rng.choice(len(content), min(num_lengths, len(content)), replace=False):
        yield content[:length]


@pytest.mark.parametrize(("damage", "words"), [(turned, "one bit turned"), (cut, "its end cut off")])
@pytest.mark.parametrize("kept", FILES, ids=lambda kept: kept.name)
def test_a_damaged_file_is_refused_by_name_or_loads_as_it_was(
    kept, damage, words, damaged, promise, is_smallest
):
    content, whole = (damaged / kept.name).read_bytes(), kept.load(damaged)
    changes = list(damage(content, np.random.default_rng(0), 6 if is_smallest else 500))
    outcomes = [kept.outcome(damaged, changed, whole) for changed in changes]
    bad = [outcome for outcome in outcomes if outcome not in ("refused", "without effect")]
    num_without = outcomes.count("without effect")
    promise(
        Promise(
            SECTION,
            f"{_title(kept.name)} with {words} is refused in a sentence that names it, or loads as it was",
            len(changes) - len(bad),
            len(changes),
            is_random=True,
            note=bad[0] if bad else f"{num_without} without effect",
        )
    )


def _title(name):
    return "a stored failure" if name.startswith(FAILURE.id) else f"`{Path(name).name}`"


@pytest.mark.parametrize("name", ["spec.json", "history.json", WEIGHTS, SUMS])
def test_load_run_refuses_what_its_parts_refuse(name, damaged, is_smallest):
    content = (damaged / "r" / name).read_bytes()
    run = load_run(damaged / "r")
    whole = run.spec, run.history, _bytes(weights_of(run.model))
    for changed in turned(content, np.random.default_rng(1), 1 if is_smallest else 10):
        (damaged / "r" / name).write_bytes(changed)
        if Kept(f"r/{name}", run_of).outcome(damaged, changed, None) == "refused":
            with pytest.raises(RunError, match=name):
                load_run(damaged / "r")
        else:
            run = load_run(damaged / "r")
            assert (run.spec, run.history, _bytes(weights_of(run.model))) == whole


def test_of_damaged_checkpoints_the_one_before_is_taken_and_the_user_told(
    damaged, promise, is_smallest, caplog
):
    checkpoints = sorted((damaged / "r/checkpoints").iterdir())
    newest, content = checkpoints[-1], checkpoints[-1].read_bytes()
    trainer = Trainer(build_model(MODEL, 0), CONFIG)
    assert trainer.restore(newest.parent).step == 3
    rng, num_bits = np.random.default_rng(0), 3 if is_smallest else 250
    changes = [*turned(content, rng, num_bits), *cut(content, rng, num_bits)]
    num_kept = 0
    for changed in changes:
        newest.write_bytes(changed)
        caplog.clear()
        restored = trainer.restore(newest.parent)
        is_told = newest.name in caplog.text and "passed over" in caplog.text
        num_kept += (restored.step == 2 and len(restored.history) == 2 and is_told) or restored.step == 3
    promise(
        Promise(
            SECTION,
            "of checkpoints whose newest has a bit turned or its end cut off the one before is taken, with a"
            " warning that names it",
            num_kept,
            len(changes),
            is_random=True,
        )
    )


def _edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _of_version(path, version):
    _edit(path, lambda content: content.update(schema_version=version))


def _newer_spec(folder):
    _of_version(folder / "r/spec.json", 2)
    (folder / "r" / SUMS).unlink()
    return partial(load_run, folder / "r"), r"schema version of .*spec\.json must be 1; got 2"


def _newer_archive(folder):
    _newer_spec(folder)
    export = partial(export_run, folder / "r", folder / "new.zip")
    return export, r"schema version of .*spec\.json must be 1; got 2"


def _newer_pairs(folder):
    with np.load(folder / "pairs.npz") as members:
        np.savez(folder / "pairs.npz", **{**members, "schema_version": np.array(2)})
    return partial(load_pairs, folder / "pairs.npz"), r"schema version of .*pairs\.npz must be 1; got 2"


def _newer_baseline(folder):
    _of_version(folder / "baseline.json", 2)
    return partial(read_baseline, folder / "baseline.json"), r"must be 1; .*baseline\.json has 2"


def _newer_failure(folder):
    _of_version(folder / f"{FAILURE.id}.json", 2)
    return partial(load_failure, folder, FAILURE.id), rf"{FAILURE.id}\.json is damaged, or of another version"


def _newer_config(folder):
    path = folder / "c.toml"
    path.write_text("[augmentation]\nkind = 1\n")
    return partial(ConfigFile.read, path, frozenset()), r"c\.toml may hold the tables .*; got augmentation"


def _newer_checkpoint(folder):
    path = max((folder / "r/checkpoints").iterdir())
    tensors = load_tensors(path)
    save_tensors(path, {**tensors.arrays, "optimizer/9999": np.zeros(2)}, tensors.description)
    return partial(Trainer(build_model(MODEL, 0), CONFIG).restore, path.parent), r"step-000000003.* optimizer"


NEWER = [
    _newer_spec,
    _newer_archive,
    _newer_pairs,
    _newer_baseline,
    _newer_failure,
    _newer_config,
    _newer_checkpoint,
]


def test_what_a_newer_version_wrote_is_refused_by_its_version(whole, tmp_path, promise):
    for case in NEWER:
        load, sentence = case(shutil.copytree(whole, tmp_path / case.__name__))
        with pytest.raises(ValueError, match=sentence):
            load()
    text = "what a version to come wrote in another form is refused in a sentence that says so"
    promise(Promise(SECTION, text, len(NEWER), len(NEWER)))


def test_what_an_older_version_wrote_is_taken_as_it_is(damaged, promise):
    """Without checksums beside a run, without one in a failure, with the figures in history.json alone."""
    before = run_of(damaged)
    (damaged / "r" / SUMS).unlink()
    assert run_of(damaged) == before
    _edit(damaged / f"{FAILURE.id}.json", lambda content: content.pop("checksum"))
    assert load_failure(damaged, FAILURE.id) == FAILURE
    for path in (damaged / "r/checkpoints").iterdir():
        tensors = load_tensors(path)
        save_tensors(path, tensors.arrays, {"step": tensors.description["step"]})
    (damaged / "r" / WEIGHTS).unlink()
    run = train(damaged / "r", MODEL, CONFIG, PROCESS, resume=True)
    assert (run.spec, run.history) == before[:2]
    assert (damaged / "r" / SUMS).exists()  # taken over into the form of this version
    promise(Promise(SECTION, "what an older version wrote without checksums is loaded, and goes on", 3, 3))
