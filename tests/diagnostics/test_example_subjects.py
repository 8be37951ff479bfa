"""The example adapters, each with what the battery truly finds in it; `pytest THIS FILE` verifies the lists.

A failure says which lines of the JSON file to add or to take out; the reasons are for a person to write.
"""

import ast
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import diagnostics.example_subjects
from diagnostics.adapters import load_subject
from diagnostics.ask import SubjectError
from diagnostics.checks import CHECKS
from diagnostics.plugin import read_expected_failures
from diagnostics.runner import run_checks

FOLDER = Path(diagnostics.example_subjects.__file__).parent
EXAMPLES = {
    "exact_gp": "ExactGP",
    "last_value": "LastValue",
    "keras_decoder": "make",
    "torch_transformer": "make",
}
ADAPTERS = {
    "exact_gp": "ExactGP",
    "last_value": "LastValue",
    "keras_decoder": "KerasDecoder",
    "torch_transformer": "TorchTransformer",
}
LARGEST_ADAPTER = 30


def spec_of(example):
    return f"diagnostics.example_subjects.{example}:{EXAMPLES[example]}"


def needs_torch(example):
    if example == "torch_transformer":
        pytest.importorskip("torch", reason="the package torch is not installed")


def corrections(example, results):
    """The lines of the JSON file that are missing or too many."""
    failed = {
        r.check: f"add     {json.dumps(r.check)}: {json.dumps(r.detail)}"
        for r in results
        if r.status == "failed"
    }
    expected = read_expected_failures(str(FOLDER / f"{example}.json"))
    wrong = {name: f"remove  {json.dumps(name)}: it passes or is not asked" for name in expected}
    for result in results:
        if result.status == "expected_failure":
            del wrong[result.check]
        if result.status == "error":
            failed[result.check] = f"mend    {result.check}: {result.detail}"
    return "\n".join((failed | wrong).values())


def test_every_example_is_tested():
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__"} == set(EXAMPLES) == set(ADAPTERS)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_battery_finds_what_is_declared_and_nothing_else(example):
    needs_torch(example)
    expected = read_expected_failures(str(FOLDER / f"{example}.json"))
    report = run_checks(load_subject(spec_of(example)), expected_failures=expected)
    wrong = corrections(example, report.results)
    assert not wrong, f"in {example}.json\n{wrong}"
    assert report.count("passed") >= 10


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_declared_failure_names_a_check_and_a_reason(example):
    expected = read_expected_failures(str(FOLDER / f"{example}.json"))
    assert set(expected) <= {check.name for check in CHECKS}
    assert all(len(reason.split()) > 4 for reason in expected.values())


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_adapter_is_at_most_thirty_lines_of_code(example):
    tree = ast.parse((FOLDER / f"{example}.py").read_text(encoding="utf-8"))
    adapter = next(
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == ADAPTERS[example]
    )
    # what stands on a line, statement by statement; docstrings are no code
    lines = set()
    for node in ast.walk(adapter):
        is_docstring = isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)
        if isinstance(node, ast.stmt) and not is_docstring and not hasattr(node, "body"):
            lines |= set(range(node.lineno, node.end_lineno + 1))
        elif isinstance(node, ast.FunctionDef | ast.For | ast.With):
            lines |= set(range(node.lineno, node.body[0].lineno))
    assert 10 < len(lines) <= LARGEST_ADAPTER


def test_without_torch_the_reason_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # what an import of a missing package meets
    monkeypatch.delitem(sys.modules, "diagnostics.example_subjects.torch_transformer", raising=False)
    with pytest.raises(
        SubjectError, match=r"imported and called; got '.*' \(ModuleNotFoundError: .*torch.*\)"
    ):
        load_subject(spec_of("torch_transformer"))


@pytest.mark.slow
def test_the_training_of_the_keras_decoder_learns(monkeypatch):
    decoder = importlib.import_module("diagnostics.example_subjects.keras_decoder")
    monkeypatch.setattr(decoder, "STEPS_PER_EPOCH", 50)
    subject = decoder.train(num_epochs=2)
    again = decoder.train(num_epochs=2)
    for one, other in zip(subject.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    batch = subject.process.sample(64, np.random.default_rng(1))
    batch = decoder.arrange(batch, "mixed", 4, np.random.default_rng(1))

    def nats(model):
        truth = np.stack([batch.y, batch.is_target], axis=-1).astype("float32")
        return float(decoder.negative_log_likelihood(truth, model.predict_on_batch(subject.inputs(batch))))

    assert nats(subject.model) < nats(decoder.decoder()) - 0.1
