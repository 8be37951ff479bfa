"""`attn project` from the command line."""

import json
import shutil
from pathlib import Path

import pytest

from attn.cli import main
from attn.models import HistoricConfig
from attn.processes import PairProcess
from attn.train import TrainConfig, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config = TrainConfig(
        num_context=3, num_epochs=1, steps_per_epoch=1, batch_size=2, num_test_pairs=4, warmup_steps=0
    )
    model = HistoricConfig(width=4, num_heads=2, layer_dims=(4, 4, 4), num_rows=20)
    return train(tmp_path_factory.mktemp("runs") / "tiny", model, config, PairProcess(num_points=8)).directory


@pytest.fixture
def project(tmp_path, monkeypatch, capfd):
    """Run the command in an empty folder; gives the exit code and what stands on stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["project", *map(str, arguments)])
        return end.value.code, *capfd.readouterr()

    return run


def test_a_layer_is_written_beside_the_scalars_of_its_run(project, trained):
    board = trained / "tensorboard"
    assert project("--run", trained, "--layer", "table") == (
        0,
        f"{board}/projector/table.vectors.tsv: 20 rows of 4\n"
        f"tensorboard --logdir {board} shows them under Projector\n",
        "",
    )
    assert len((board / "projector/table.rows.tsv").read_text().splitlines()) == 1 + 20
    assert "projector/table.rows.tsv" in (board / "projector_config.pbtxt").read_text()


def test_a_projection_can_be_told_to_a_program_or_to_nobody(project, trained):
    code, out, _ = project("--run", trained, "--layer", "table", "--json")
    said = json.loads(out)
    assert (code, said["num_rows"], said["num_columns"]) == (0, 20, 4)
    assert Path(said["file"]) == trained / "tensorboard/projector/table.vectors.tsv"
    assert project("--run", trained, "--layer", "table", "--quiet") == (0, "", "")


def test_a_shipped_run_is_not_written_to(project, tmp_path):
    assert project("--run", "historic", "--layer", "to_key")[0] == 0
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {
        "tensorboard/historic/projector_config.pbtxt",
        "tensorboard/historic/projector/to_key.vectors.tsv",
        "tensorboard/historic/projector/to_key.rows.tsv",
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--layer", "nowhere"], "layer must be one of table, to_query, to_key, to_value, from_heads, norm,"),
        (["--layer", ""], "; got ''"),
        ([], "Missing option '--layer'."),
        (["--layer", "table", "--run", "nobody"], "a run must be one of the shipped runs"),
        (["--layer", "table", "--out", "file"], "file/projector could not be read or written: "),
    ],
)
def test_a_mistake_is_answered_by_one_sentence(project, trained, tmp_path, arguments, sentence):
    (tmp_path / "file").touch()
    code, out, err = project("--run", trained, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err


def test_a_damaged_run_is_answered_by_one_sentence(project, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "cut")
    weights = tmp_path / "cut/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    code, _, err = project("--run", "cut", "--layer", "table")
    assert (code, err.count("\n")) == (2, 1)
    assert "weights.safetensors" in err
