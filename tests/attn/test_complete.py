"""Completion by the protocol that the scripts of the shells speak: the environment in, names out."""

import os
import subprocess
import sys

import pytest

PROGRAMS = {"attn": "attn", "diagnose": "diagnostics"}
# Whatever is imported is listed on stderr, so that it can be seen that TensorFlow is not.
CODE = """
import sys
sys.argv[0] = {program!r}
from {package}.cli import main
try:
    main()
finally:
    sys.stderr.write(" ".join(sys.modules))
"""


def complete(line, folder, shell="bash"):
    """What the shell offers at the end of a line."""
    program, *words = line.split(" ")
    environment = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words))},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    environment[f"_{program.upper()}_COMPLETE"] = f"complete_{shell}"
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(program=program, package=PROGRAMS[program])],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "tensorflow" not in done.stderr.split()
    return done.stdout


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("attn ", {"data", "train", "infer", "project", "runs"}),
        ("attn runs ", {"list", "delete", "export", "import"}),
        ("attn infer --run ", {"historic", "corrected", "runs/mine"}),
        ("attn runs delete runs/", {"runs/mine"}),
        ("attn data --kernel rbf_c", {"rbf_const_2D"}),
        ("attn train --kernel peri", {"periodic", "periodic_const_2D"}),
        ("attn train --regime ", {"shuffle", "full_infer", "half_half", "mixed", "forecast"}),
        ("attn train --weight", {"--weight-decay"}),
        ("diagnose check --subject hist", {"historic"}),
        ("diagnose check --check no_future", {"no_future_leak"}),
        ("diagnose explain no_drift", {"no_drift_at_the_first_target", "no_drift_later"}),
    ],
)
def test_bash_is_offered_names(tmp_path, line, offered):
    (tmp_path / "runs/mine").mkdir(parents=True)
    (tmp_path / "runs/mine/spec.json").write_text("{}")
    names = set(complete(line, tmp_path).split())
    assert offered <= names
    assert all(name.startswith(line.rpartition(" ")[2]) for name in names)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_are_offered_the_same(tmp_path, shell):
    assert "historic" in complete("attn infer --run ", tmp_path, shell)
    assert "no_future_leak" in complete("diagnose explain no_f", tmp_path, shell)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_calls_the_program(tmp_path, program, shell):
    environment = os.environ | {f"_{program.upper()}_COMPLETE": f"source_{shell}"}
    code = CODE.format(program=program, package=PROGRAMS[program])
    command = [sys.executable, "-c", code]
    script = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True).stdout
    assert f"_{program.upper()}_COMPLETE=complete_{shell}" in script


def test_the_models_that_are_offered_are_those_there_are():
    from attn.commands.complete import model_names
    from attn.models import PRESETS

    assert model_names() == list(PRESETS)
