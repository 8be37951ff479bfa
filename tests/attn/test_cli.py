import csv
import inspect
import io
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import fields, replace

import pytest
import typer

from attn.cli import app
from attn.commands.train import train as train_command
from attn.models import HistoricConfig
from attn.processes import named_process
from attn.tables import read_csv, real_pair
from attn.train import TrainConfig, train

PROCESS = replace(named_process("rbf_const_2D"), num_points=8)
TINY = ["--num-points", "8", "--width", "4", "--heads", "1", "--epochs", "1", "--steps-per-epoch", "2"]
TINY += ["--batch-size", "2", "--num-test-pairs", "4", "--context", "3", "--kernel", "rbf_const_2D"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run of the smallest historic model."""
    directory = tmp_path_factory.mktemp("runs") / "tiny"
    config = TrainConfig(
        num_context=3, num_epochs=1, steps_per_epoch=2, batch_size=2, num_test_pairs=4, warmup_steps=0
    )
    train(directory, HistoricConfig(width=4, num_heads=2, layer_dims=(4, 4, 4)), config, PROCESS)
    return directory


@contextmanager
def full_disk(num_bytes):
    """No file of this process can grow beyond `num_bytes`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def content(folder):
    """Every file below a folder, with its bytes."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write_csv(path, change=None, num_rows=24):
    """Two series in long form, `num_rows` points each; `change` may alter the rows."""
    rows = [["when", "city", "temp"]]
    for hour in range(num_rows):
        rows += [[hour, "Oslo", 10 + hour % 7], [hour, "Rome", 25 + hour % 5]]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(change(rows) if change else rows)
    return path


COLUMNS = ["--x-column", "when", "--series-column", "city", "--y-column", "temp", "--window", "12"]


# data


def test_data_draws_once_and_is_reused(attn, tmp_path):
    path = tmp_path / "data/rbf_rbf_2D/pairs.npz"
    ask = ["data", "--kernel", "rbf_rbf_2D", "--number", 3]
    assert attn(*ask, "--plot")[0] == 0
    assert sorted(p.name for p in path.parent.iterdir()) == ["examples.png", "pairs.npz"]
    drawn = path.read_bytes()
    assert attn(*ask, "--no-overwrite")[0] == 0
    assert path.read_bytes() == drawn
    assert attn(*ask, "--overwrite", "--seed", 1)[0] == 0
    assert path.read_bytes() != drawn


def test_data_asks_for_what_is_missing_at_a_terminal(attn, monkeypatch, tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("periodic\n2\n"))
    code, out, _ = attn("data")
    assert code == 0
    assert "Kernel" in out
    assert "Number of pairs" in out
    path = tmp_path / "data/periodic/pairs.npz"
    drawn = path.read_bytes()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    code, out, _ = attn("data", "--kernel", "periodic", "--number", 2, "--seed", 5)
    assert code == 0
    assert "Overwrite it?" in out
    assert path.read_bytes() != drawn


def test_data_cannot_ask_without_a_terminal(refused, attn, tmp_path):
    assert "--kernel must be given" in refused("data", "--number", 3)
    assert "--number must be given" in refused("data", "--kernel", "rbf")
    assert list(tmp_path.iterdir()) == []
    attn("data", "--kernel", "rbf", "--number", 3)
    before = content(tmp_path)
    assert "--overwrite or --no-overwrite must be given" in refused("data", "--kernel", "rbf", "--number", 3)
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--kernel", "rfb"], "kernel must be one of rbf, "),
        (["--kernel", "../rbf"], "kernel must be one of rbf, "),
        (["--number", "0"], "num_pairs must be at least 1; got 0"),
        (["--number", "many"], "valid integer"),
        (["--number", str(10**14)], "drawing these pairs needs about 1.46e+05 TiB of memory; "),
        (["--num-points", "1"], "num_points must be at least 2; got 1"),
        (["--label", "first"], "label must be one of random, rank; got 'first'"),
        (["--seed", "-1"], "--seed"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_data_refuses(refused, tmp_path, arguments, sentence):
    assert sentence in refused("data", "--kernel", "rbf", "--number", 2, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_real_pair_is_written_as_a_table_that_can_be_read(attn, refused, tmp_path):
    code, out, _ = attn("data", "--real-pair", "delays")
    assert code == 0
    assert "--csv data/delays.csv --x-column hour --series-column airport --y-column delay" in out
    table = read_csv(tmp_path / "data/delays.csv", "hour", "airport", "delay", window=24, num_context=6)
    known = real_pair(24, 6, "delays")
    assert table.series_names == known.series_names
    assert table.window_labels == known.window_labels
    assert (table.to_y(table.pairs.y) == known.to_y(known.pairs.y)).all()
    before = content(tmp_path)
    assert "--overwrite or --no-overwrite must be given" in refused("data", "--real-pair", "delays")
    assert attn("data", "--real-pair", "delays", "--no-overwrite")[1] == "data/delays.csv: kept\n"
    assert content(tmp_path) == before
    assert "a real pair must be one of" in refused("data", "--real-pair", "tides")
    assert "got --kernel and --real-pair" in refused("data", "--real-pair", "delays", "--kernel", "rbf")


def test_data_of_another_draw_are_refused_and_kept(refused, attn, tmp_path):
    attn("data", "--kernel", "rbf", "--number", 3)
    before = content(tmp_path)
    sentence = refused("data", "--kernel", "rbf", "--number", 4, "--no-overwrite")
    assert "num_pairs" in sentence
    assert content(tmp_path) == before


def test_a_full_disk_keeps_the_pairs_that_were_there(refused, attn, tmp_path):
    attn("data", "--kernel", "rbf", "--number", 3)
    before = content(tmp_path)
    with full_disk(4096):
        sentence = refused("data", "--kernel", "rbf", "--number", 300, "--overwrite", "--plot")
    assert sentence == "pairs could not be written to data/rbf/pairs.npz: File too large"
    assert content(tmp_path) == before


# train


def test_train_makes_a_run_that_is_listed(attn, tmp_path):
    code, out, _ = attn("train", "--run", "r1", "--model", "historic", "--labels-in-qk", *TINY)
    assert code == 0
    assert "epoch 1: " in out
    spec = json.loads((tmp_path / "runs/r1/spec.json").read_text())
    assert spec["model"]["labels_in_qk"] is True
    assert (spec["model"]["width"], spec["model"]["num_heads"]) == (4, 1)
    assert (spec["training"]["num_context"], spec["process"]["num_points"]) == (3, 8)
    (tmp_path / "runs/broken").mkdir()
    (tmp_path / "runs/broken/spec.json").write_text("{")
    code, out, _ = attn("runs")
    assert code == 0
    assert "r1" in out
    assert "damaged" in out


def test_a_run_that_exists_is_refused_and_kept(refused, trained):
    before = content(trained)
    sentence = refused("train", "--run", trained.name, "--folder", trained.parent, *TINY)
    assert sentence.startswith("a new run needs a name that is free")
    assert content(trained) == before


def test_a_run_is_not_resumed_as_another(refused, trained):
    before = content(trained)
    sentence = refused("train", "--run", "tiny", "--folder", trained.parent, "--resume", *TINY)
    assert "as when" in sentence
    assert content(trained) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--kernel", "rfb"], "kernel must be one of"),
        (["--run", "../up"], "the name of a run must be"),
        (["--model", "newest"], "model must be one of historic,"),
        (["--regime", "sorted"], "regime must be one of shuffle,"),
        (["--context", "16"], "num_context must be between 1 and 15 (L - 1); got 16"),
        (["--batch-size", "0"], "batch_size must be at least 1; got 0"),
        (["--epochs", "0"], "num_epochs must be at least 1; got 0"),
        (["--learning-rate", "nan"], "learning_rate must be finite and above 0; got nan"),
        (["--width", "0"], "width must be at least 1; got 0"),
        (["--heads", "3"], "width must be a multiple of num_heads; got 4 and 3"),
        (
            ["--model", "historic", "--layer-dims", "4,x"],
            "layer_dims must be three widths such as 256,64,32; got",
        ),
        (["--model", "historic", "--layer-dims", "4,4"], "layer_dims must be three widths"),
        (["--labels-in-qk"], "got labels_in_qk"),
        (["--waves", "2"], "got num_waves"),
        (["--knows-labels"], "got knows_labels"),
        (["--model", "pair_smoother", "--waves", "-1"], "num_waves must not be negative; got -1"),
        (["--real-pair", "delays"], "data must come from one source; got --kernel and --real-pair"),
    ],
)
def test_train_refuses_and_leaves_no_run(refused, tmp_path, arguments, sentence):
    assert sentence in refused("train", "--run", "r1", *TINY, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_the_defaults_of_train_are_those_of_its_configuration():
    names = {"num_context": "context", "num_epochs": "epochs"}
    defaults = inspect.signature(train_command).parameters
    for field in fields(TrainConfig):
        assert defaults[names.get(field.name, field.name)].default == field.default, field.name


def test_a_full_disk_ends_training_with_a_sentence(attn, tmp_path):
    with full_disk(2000):
        code, _, err = attn("train", "--run", "r1", "--model", "historic", *TINY, "--width", 64)
    assert code == 2
    assert err.count("\n") == 1
    assert "could not be written: File too large" in err
    assert json.loads((tmp_path / "runs/r1/spec.json").read_text())["training"]["batch_size"] == 2
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_train_goes_on_from_a_run_whose_model_it_takes(attn, refused, trained, tmp_path):
    ask = ["train", "--start-from", trained, "--num-points", 8, "--kernel", "rbf_const_2D", "--context", 3]
    ask += ["--epochs", 1, "--steps-per-epoch", 1, "--batch-size", 2, "--num-test-pairs", 2]
    assert attn(*ask, "--run", "on")[0] == 0
    spec = json.loads((tmp_path / "runs/on/spec.json").read_text())
    assert spec["model"] == json.loads((trained / "spec.json").read_text())["model"]
    assert spec["start_from"]["starting_run"] == "tiny"
    assert attn(*ask, "--run", "on", "--resume")[0] == 0
    assert "num_heads must be 2" in refused(*ask, "--run", "other", "--heads", 1)
    assert "kind must be historic" in refused(*ask, "--run", "other", "--model", "pair_smoother")
    assert "a run must be one of" in refused(*ask, "--run", "other", "--start-from", "nowhere")
    assert not (tmp_path / "runs/other").exists()


# infer


def test_infer_writes_plots_predictions_and_metrics(attn, trained, tmp_path):
    arguments = ["--number", 3, "--observed", 4, "--steps", 2, "--samples", 2, "--plots", 1]
    code, out, err = attn("infer", "--run", trained, *arguments, "--attention", "--animate")
    assert (code, err) == (0, "")
    assert "exact GP" in out
    folder = tmp_path / "inference/tiny"
    names = sorted(str(path.relative_to(folder)) for path in content(folder))
    steps = ["attention/step-001.png", "attention/step-002.png"]
    assert names == ["attention.gif", *steps, "metrics.json", "pair-000.png", "predictions.csv"]
    rows = list(csv.DictReader((folder / "predictions.csv").open()))
    assert len(rows) == 3 * 2
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["num_targets"] == 6
    scores = metrics["scores"]
    assert set(scores) == {
        "teacher forcing", "free running", "exact GP, teacher forcing", "exact GP, free running"
    }  # fmt: skip
    mse = sum((float(row["mean"]) - float(row["y"])) ** 2 for row in rows) / 6
    assert scores["free running"]["mse"] == pytest.approx(mse, rel=1e-4)
    assert scores["exact GP, teacher forcing"]["nll"] < scores["teacher forcing"]["nll"]


def test_predictions_of_a_table_are_in_its_units(attn, trained, tmp_path):
    table = write_csv(tmp_path / "t.csv")
    options = ["--csv", table, *COLUMNS, "--observed", 4, "--feed", "mean", "--series", "A"]
    code, out, _ = attn("infer", "--run", trained, *options, "--out", "o")
    assert code == 0
    assert "exact GP" not in out
    rows = list(csv.DictReader((tmp_path / "o/predictions.csv").open()))
    assert len(rows) == 2 * 8
    for row in rows:
        assert row["series"] == "Oslo"
        assert float(row["y"]) == pytest.approx(10 + round(float(row["x"])) % 7)


def _again(rows):
    """The last row a second time, with another value: 4 more."""
    return [*rows, [*rows[-1][:2], rows[-1][2] + 4]]


@pytest.mark.slow
def test_times_that_come_twice_are_averaged_and_said(attn, trained, tmp_path):
    table = write_csv(tmp_path / "t.csv", _again)
    code, out, _ = attn("infer", "--run", trained, "--csv", table, *COLUMNS, "--observed", 4, "--out", "o")
    assert code == 0
    said = "2 windows hold 48 points; averaged with others at the same x: 1 rows; left out, in windows with"
    assert said in out
    rows = list(csv.DictReader((tmp_path / "o/predictions.csv").open()))
    assert float(rows[-1]["y"]) == pytest.approx(25 + 23 % 5 + 2)
    code, out, _ = attn("train", "--run", "r", *TINY[2:-2], "--csv", table, *COLUMNS)
    assert code == 0
    assert said in out


def test_held_out_windows_are_those_that_training_does_not_see(attn, refused, trained, tmp_path):
    table = write_csv(tmp_path / "t.csv", num_rows=120)
    ask = ["infer", "--run", trained, "--observed", 4, "--plots", 0]
    assert attn(*ask, "--csv", table, *COLUMNS, "--held-out", "--out", "o")[0] == 0
    rows = list(csv.DictReader((tmp_path / "o/predictions.csv").open()))
    assert {row["name"] for row in rows} == {"window from 96", "window from 108"}
    assert "--held-out is for data that exist" in refused(*ask, "--held-out", "--out", "p")


def test_results_that_exist_are_kept_unless_they_may_be_replaced(attn, refused, trained, tmp_path):
    ask = ["infer", "--run", trained, "--number", 1, "--observed", 4, "--plots", 0, "--out", "o"]
    (tmp_path / "o").mkdir()
    (tmp_path / "o/mine.txt").write_text("mine")
    assert "must be new or empty; o is not" in refused(*ask)
    assert list(content(tmp_path / "o")) == [tmp_path / "o/mine.txt"]
    assert attn(*ask, "--overwrite")[0] == 0
    assert (tmp_path / "o/mine.txt").read_text() == "mine"


@pytest.mark.slow
def test_plots_of_an_inference_that_is_replaced_do_not_remain(attn, trained, tmp_path):
    ask = ["infer", "--run", trained, "--number", 2, "--observed", 4, "--out", "o", "--overwrite"]
    assert attn(*ask, "--plots", 2, "--animate", "--steps", 1)[0] == 0
    assert attn(*ask, "--plots", 1)[0] == 0
    names = sorted(path.name for path in content(tmp_path / "o"))
    assert names == ["metrics.json", "pair-000.png", "predictions.csv"]


def test_pairs_of_a_file_and_single_sequences_are_continued(attn, trained, tmp_path):
    attn("data", "--kernel", "rbf", "--number", 3, "--num-points", 8)
    options = ["--pairs", "data/rbf/pairs.npz", "--observed", 4, "--unsorted", "--scattered", "--plots", 1]
    code, out, _ = attn("infer", "--run", trained, *options, "--out", "o", "--attention")
    assert code == 0
    assert "exact GP" in out
    assert len(list((tmp_path / "o/attention").iterdir())) == 4
    assert len(list(csv.DictReader((tmp_path / "o/predictions.csv").open()))) == 3 * 4


def _cell(row, column, value):
    def change(rows):
        rows[row][column] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("change", "arguments", "sentence"),
    [
        (None, ["--y-column", "wind"], "the header must have one column 'wind'"),
        (_cell(3, 2, "warm"), [], "temp must be a finite number in every row; got 'warm' in row 4"),
        (_cell(3, 2, "NaN"), [], "temp must be a finite number in every row; it is missing ('NaN') in row 4"),
        (lambda rows: [row for row in rows if row[1] != "Rome"], [], "a pair needs two series; got 'Oslo'"),
        (lambda rows: rows[:9], [], "each series needs at least 5 points (num_context + 1)"),
        (lambda rows: rows[:1], [], "below the header there is none"),
        (lambda rows: [], [], "is empty"),
        (None, ["--name-a", "Bonn"], "'Bonn' is no series of the table"),
        (None, ["--observed", "12"], "num_context must be between 1 and 11 (window - 1); got 12"),
    ],
)
@pytest.mark.parametrize("command", ["infer", "train"])
def test_a_wrong_table_is_refused(refused, trained, tmp_path, command, change, arguments, sentence):
    table = write_csv(tmp_path / "t.csv", change)
    before = content(tmp_path)
    context = {"infer": ["--run", trained, "--observed", "4"], "train": ["--run", "r1", "--context", "4"]}[
        command
    ]
    arguments = [("--context" if a == "--observed" and command == "train" else a) for a in arguments]
    assert sentence in refused(command, *context, "--csv", table, *COLUMNS, *arguments)
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--run", "nowhere"], "a run must be one of the shipped runs"),
        (["--observed", "8"], "num_context must be between 1 and 7"),
        (["--observed", "0"], "num_context must be between 1 and 7"),
        (["--steps", "none"], "steps must be a number of at least 1, or all; got 'none'"),
        (["--steps", "0"], "steps must be a number of at least 1, or all; got '0'"),
        (["--series", "C"], "series must be one of A, B, either; got 'C'"),
        (["--feed", "truth"], "feed must be one of sample, mean; got 'truth'"),
        (["--samples", "0"], "--samples"),
        (["--kernel", "rfb"], "kernel must be one of"),
        (["--csv", "nowhere.csv"], "nowhere.csv could not be read: No such file or directory"),
        (["--pairs", "nowhere.npz"], "nowhere.npz could not be read: No such file or directory"),
        (["--csv", "t.csv", "--num-points", "9"], "--num-points and --label are for data that are drawn"),
    ],
)
def test_infer_refuses(refused, trained, tmp_path, arguments, sentence):
    assert sentence in refused("infer", "--run", trained, "--number", 2, "--observed", 4, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_process_needs_data(refused, trained, tmp_path):
    run = tmp_path / "from_a_table"
    shutil.copytree(trained, run)
    spec = json.loads((run / "spec.json").read_text())
    (run / "spec.json").write_text(json.dumps({**spec, "process": None}))
    (run / "SHA256SUMS").unlink()
    assert refused("infer", "--run", run, "--observed", 4).startswith("this run knows no process")


# study


@pytest.mark.slow
def test_a_study_writes_its_table_its_figures_and_its_picture(attn, trained, tmp_path):
    table = write_csv(tmp_path / "t.csv", num_rows=120)
    ask = ["study", "--run", trained, "--csv", table, *COLUMNS, "--observed", 4, "--steps", 1]
    code, out, err = attn(*ask, "--samples", 2, "--series", "A", "--out", "o")
    assert (code, err) == (0, "")
    assert "10 windows hold 240 points" in out
    assert sorted(path.name for path in content(tmp_path / "o")) == ["forecast.png", "study.json", "study.md"]
    text = (tmp_path / "o/study.md").read_text()
    assert "all of Rome is given, and the first 4 points of Oslo" in text
    study = json.loads((tmp_path / "o/study.json").read_text())
    assert f"    {study['command']}" in text
    again = shlex.split(study["command"])
    assert again[0] == "attn"
    assert attn(*again[1:-1], "p")[0] == 0
    repeated = json.loads((tmp_path / "p/study.json").read_text())
    assert repeated.keys() == study.keys()
    assert [repeated[name] for name in ("run", "config", "fitted")] == [
        study[name] for name in ("run", "config", "fitted")
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "a study needs data: --csv or --real-pair; got neither"),
        (["--csv", "t.csv", "--real-pair", "delays"], "data must come from one source"),
        (["--real-pair", "tides"], "a real pair must be one of temperatures, delays; got 'tides'"),
        (["--real-pair", "delays", "--series", "either"], "series must be one of A, B; got 'either'"),
        (["--real-pair", "delays", "--observed", "24"], "num_context must be between 1 and 23"),
        (["--real-pair", "delays", "--window", "0"], "window must be at least 2; got 0"),
        (["--csv", "nowhere.csv"], "nowhere.csv could not be read"),
    ],
)
def test_study_refuses(refused, trained, tmp_path, arguments, sentence):
    assert sentence in refused("study", "--run", trained, *arguments)
    assert list(tmp_path.iterdir()) == []


def _truncate(run):
    weights = run / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _flip(run):
    weights = run / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)


def _other_heads(run):
    spec = json.loads((run / "spec.json").read_text())
    spec["model"]["num_heads"] = 1
    (run / "spec.json").write_text(json.dumps(spec))


def _write_spec(text):
    return lambda run: (run / "spec.json").write_text(text)


def _without_sums(damage):
    """What is said of a run of an earlier version, which kept no checksums."""

    def both(run):
        (run / "SHA256SUMS").unlink()
        damage(run)

    return both


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_truncate, "is damaged"),
        (_flip, "is damaged"),
        (_other_heads, "SHA256SUMS holds another checksum of it"),
        (_without_sums(_other_heads), "num_heads must be 2, as when"),
        (_without_sums(_write_spec('{"schema_version')), "is damaged: it is not JSON"),
        (_without_sums(_write_spec("[]")), "the schema version"),
        (lambda run: (run / "weights.safetensors").unlink(), "must exist; it does not"),
    ],
)
def test_a_damaged_run_is_refused_and_kept(refused, trained, tmp_path, damage, sentence):
    run = tmp_path / "damaged"
    shutil.copytree(trained, run)
    damage(run)
    before = content(tmp_path)
    assert sentence in refused("infer", "--run", run, "--observed", 4)
    assert content(tmp_path) == before


def test_a_full_disk_leaves_no_part_of_a_result(refused, trained, tmp_path):
    with full_disk(1000):
        sentence = refused("infer", "--run", trained, "--number", 2, "--observed", 4, "--out", "o")
    assert "pair-000.png could not be written: File too large" in sentence
    assert content(tmp_path) == {}


# the whole


def test_every_option_says_what_it_is_and_those_of_the_original_are_named():
    help_texts = []
    for command in typer.main.get_command(app).commands.values():
        for option in command.params:
            assert option.help, f"{command.name} {option.name}"
            help_texts.append(option.help)
    text = " ".join(help_texts)
    for name in ("kernel", "number of pairs", "overwrite", "e", "heads", "l", "context", "run", "tr_regime"):
        assert f"(original: {name})" in text
    for name in ("epochs", "batch size", "overfit", "context_p", "consec", "order", "samples", "mean"):
        assert f"(original: {name})" in text
    assert "(original: num_steps, 999 = all)" in text


def test_the_module_is_the_command_and_help_does_not_wait_for_tensorflow(tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environment = {**os.environ, "PYTHONPATH": root}
    ask = [sys.executable, "-X", "importtime", "-m", "attn", "train", "--help"]
    asked = subprocess.run(ask, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert asked.returncode == 0
    assert "--labels-in-qk" in asked.stdout
    assert "tensorflow" not in asked.stderr
    assert "matplotlib" not in asked.stderr


def test_a_mistake_in_a_true_process_is_one_line(tmp_path, trained):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environment = {**os.environ, "PYTHONPATH": root}
    ask = [sys.executable, "-m", "attn", "infer", "--run", str(trained), "--observed", "99"]
    asked = subprocess.run(ask, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr.count("\n") == 1
    assert asked.stderr.startswith("attn: num_context must be between 1 and 7")


# --json and --quiet


def test_data_as_json_or_not_at_all(attn):
    ask = ["data", "--kernel", "rbf", "--number", 3, "--num-points", 8, "--overwrite"]
    code, out, err = attn(*ask, "--json", "--plot")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "file": "data/rbf/pairs.npz",
        "num_pairs": 3,
        "num_points": 8,
        "examples": "data/rbf/examples.png",
    }
    assert attn(*ask, "--quiet") == (0, "", "")


@pytest.mark.slow
def test_train_as_json_or_not_at_all(attn, tmp_path):
    code, out, err = attn("train", "--run", "r1", "--model", "historic", "--json", *TINY)
    assert code == 0
    history = json.loads((tmp_path / "runs/r1/history.json").read_text())
    assert json.loads(out) == {"run": "runs/r1", "num_steps": 2, "figures": history[-1]}
    assert "epoch 1: " in err


@pytest.mark.slow
def test_a_quiet_training_says_nothing(attn):
    assert attn("train", "--run", "r2", "--model", "historic", "--quiet", *TINY) == (0, "", "")


def test_infer_as_json_or_not_at_all(attn, trained, tmp_path):
    ask = [
        "infer",
        "--run",
        trained,
        "--number",
        2,
        "--observed",
        4,
        "--plots",
        0,
        "--out",
        "o",
        "--overwrite",
    ]
    code, out, err = attn(*ask, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads((tmp_path / "o/metrics.json").read_text())
    assert attn(*ask, "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    "arguments", [["attn", "runs"], ["attn", "infer"], ["diagnostics", "list"], ["diagnostics", "no"]]
)
@pytest.mark.parametrize("is_stderr_full", [False, True])
def test_where_nothing_can_be_printed_the_exit_code_says_so(arguments, is_stderr_full):
    with open("/dev/full", "wb") as full:
        said = subprocess.run(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=full if is_stderr_full else subprocess.PIPE,
        )
    assert said.returncode == 2
    assert is_stderr_full or said.stderr.count(b"\n") == 1
