import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from diagnostics.plugin import read_expected_failures

ROOT = Path(__file__).parents[2]
BATTERY = """
from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject
from diagnostics.checks import CHECKS
from diagnostics.runner import assert_passes, parametrize_with_checks

class Leaky(OracleSubject):
    def teacher_force(self, batch):
        from dataclasses import replace
        prediction = super().teacher_force(batch)
        return replace(prediction, mean=0.9 * prediction.mean + 0.1 * batch.y)

def leaky():
    return Leaky(PairProcess(num_points=10))

names = ("no_future_leak", "x_is_resolved", "attention_rows_sum_to_one")
chosen = [check for check in CHECKS if check.name in names]

@parametrize_with_checks(chosen)
def test_check(battery, check):
    assert_passes(battery.run(check))
"""


def run_pytest(directory, *arguments):
    (directory / "test_mine.py").write_text(BATTERY)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(directory)]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "test_mine.py"]
    if "diagnostics" not in _installed_plugins():
        command += ["-p", "diagnostics.plugin"]
    done = subprocess.run(
        [*command, *arguments], cwd=directory, env=environment, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def _installed_plugins():
    from importlib.metadata import entry_points

    return {entry.name for entry in entry_points(group="pytest11")}


def test_the_battery_runs_in_another_directory_and_speaks_without_traceback(tmp_path):
    code, output = run_pytest(tmp_path, "--subject", "test_mine:leaky")
    assert code == 1
    assert "1 failed, 1 passed, 1 skipped" in output
    assert "the future leaks" in output
    assert "the subject does not offer attention" in output
    assert "Traceback" not in output
    assert "def test_check" not in output


def test_expected_failures_and_wrong_ones(tmp_path):
    declared = tmp_path / "expected.json"
    declared.write_text(json.dumps({"no_future_leak": "it is leaky by design"}))
    options = ("--subject", "test_mine:leaky", "--expected-failures", str(declared))
    code, output = run_pytest(tmp_path, *options)
    assert code == 0, output
    assert "1 passed, 1 skipped, 1 xfailed" in output
    declared.write_text(json.dumps({"no_such_check": "?"}))
    code, output = run_pytest(tmp_path, *options)
    assert code == 1
    assert "expected failures must name checks of the battery; got no_such_check" in output


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("{", "readable JSON file"),
        ('["a"]', "JSON object of check: reason"),
        ('{"a": 1}', "JSON object of check"),
    ],
)
def test_a_wrong_file_of_expected_failures_is_one_sentence(tmp_path, text, rule):
    path = tmp_path / "expected.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=rule):
        read_expected_failures(str(path))


def test_no_file_expects_nothing_and_a_missing_one_is_an_error(tmp_path):
    assert read_expected_failures(None) == {}
    with pytest.raises(ValueError, match="readable JSON file"):
        read_expected_failures(str(tmp_path / "missing.json"))


def test_the_plugin_imports_nothing_heavy():
    code = "import sys, diagnostics.plugin; print(sorted({'tensorflow', 'numpy', 'attn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
