import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from attn.files import save_pairs
from attn.processes import PairProcess
from diagnostics.cli import main
from diagnostics.result import Report

SUBJECTS = """
from dataclasses import replace
from pathlib import Path
import numpy as np
from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics.adapters import OracleSubject

PROCESS = PairProcess(num_points=10)

class Mendable(OracleSubject):
    \"\"\"Blind to labels as long as the file `state` says so.\"\"\"

    def teacher_force(self, batch):
        state = Path("state").read_text()
        if state == "broken":
            raise RuntimeError("out of order")
        if state == "blind":
            batch = replace(batch, series=np.zeros_like(batch.series))
        return super().teacher_force(batch)

def mendable():
    return Mendable(PROCESS, "mendable")

def unlabelled():
    return OracleSubject(PROCESS)
"""
CHECK = ["--check", "history_labels_matter", "--num-pairs", "16", "--seed", "5"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch, in_this_process):
    (tmp_path / "replay_subjects.py").write_text(SUBJECTS)
    (tmp_path / "state").write_text("blind")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "replay_subjects", raising=False)
    monkeypatch.chdir(tmp_path)


def check(*arguments):
    return main(["check", "--subject", "replay_subjects:mendable", *CHECK, *arguments])


def stored(folder=".diagnostics/failures"):
    return sorted(path.stem for path in Path(folder).glob("*"))


def test_a_failure_is_stored_and_its_id_is_printed(capsys):
    assert check() == 1
    (failure,) = stored()
    said = capsys.readouterr().out
    assert re.search(f"^replay: diagnose replay {failure}$", said, re.MULTILINE)
    kept = json.loads(Path(f".diagnostics/failures/{failure}.json").read_text())
    assert (kept["spec"], kept["check"]) == ("replay_subjects:mendable", "history_labels_matter")
    assert (kept["seed"], kept["num_pairs"]) == (5, 16)


def test_a_failure_on_given_pairs_is_replayed_on_the_same_pairs(capsys):
    save_pairs(Path("mine.npz"), PairProcess(num_points=10).sample(16, np.random.default_rng(0)), {})
    assert check("--pairs", "mine.npz") == 1
    (failure,) = stored()
    assert "--pairs mine.npz" in capsys.readouterr().out
    assert main(["replay", failure]) == 1
    Path("mine.npz").unlink()
    assert main(["replay", failure]) == 2
    assert "mine.npz could not be read" in capsys.readouterr().err


def test_a_failure_is_replayed_until_it_is_fixed(capsys):
    check()
    (failure,) = stored()
    capsys.readouterr()
    assert main(["replay", failure]) == 1
    said = capsys.readouterr().out
    assert said.startswith("STILL FAILING: history_labels_matter of replay_subjects:mendable: ")
    assert said.count("\n") == 1
    Path("state").write_text("mended")
    assert main(["replay", failure]) == 0
    assert capsys.readouterr().out.startswith("FIXED: history_labels_matter of replay_subjects:mendable: ")


def test_a_replay_can_be_read_by_a_program_or_keep_silent(capsys):
    check()
    (failure,) = stored()
    capsys.readouterr()
    assert main(["replay", failure, "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["subject"]) == ("STILL FAILING", "replay_subjects:mendable")
    assert (said["result"]["check"], said["result"]["status"]) == ("history_labels_matter", "failed")
    assert main(["replay", failure, "--quiet"]) == 1
    assert capsys.readouterr().out == ""


def test_a_replay_asks_with_the_same_pairs_and_seed(capsys):
    assert check("--json") == 1
    said = json.loads(capsys.readouterr().out)
    (failure,) = stored()
    main(["replay", failure])
    assert capsys.readouterr().out.strip().endswith(said["results"][0]["detail"])


def test_a_check_that_breaks_is_stored_and_a_replay_without_an_answer_is_code_3(capsys):
    Path("state").write_text("broken")
    assert check() == 3
    (failure,) = stored()
    capsys.readouterr()
    assert main(["replay", failure]) == 3
    assert capsys.readouterr().out.startswith("NOT ANSWERED (error): ")
    Path("state").write_text("blind")
    assert main(["replay", failure]) == 1
    Path("state").write_text("mended")
    assert main(["replay", failure]) == 0


def test_what_passes_or_is_expected_is_not_stored():
    Path("state").write_text("mended")
    expected = Path("expected.json")
    expected.write_text(json.dumps({"history_labels_matter": "known"}))
    assert check() == 0
    assert check("--expected-failures", str(expected)) == 1
    Path("state").write_text("blind")
    assert check("--expected-failures", str(expected)) == 0
    assert not Path(".diagnostics").exists()


def test_the_folder_can_be_chosen_or_left(capsys):
    assert check("--no-store") == 1
    assert "replay:" not in capsys.readouterr().out
    assert not Path(".diagnostics").exists()
    assert check("--failures", "my failures") == 1
    (failure,) = stored("my failures")
    assert f"diagnose replay {failure} --failures 'my failures'" in capsys.readouterr().out
    assert main(["replay", failure, "--failures", "my failures"]) == 1
    assert not Path(".diagnostics").exists()


def test_a_folder_that_cannot_be_written_to_costs_no_finding(capsys):
    Path("taken").write_text("a file")
    assert check("--failures", "taken", "--json") == 1
    said = capsys.readouterr()
    assert Report.from_json(said.out).results[0].status == "failed"
    assert said.err.count("\n") == 1
    assert "could not be stored in taken" in said.err


def test_an_unknown_id_is_one_sentence_that_names_those_that_exist(capsys):
    assert main(["replay", "cafe"]) == 2
    assert ".diagnostics/failures has none; got 'cafe'" in capsys.readouterr().err
    check()
    capsys.readouterr()
    assert main(["replay", "cafe"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert stored()[0] in said.err
