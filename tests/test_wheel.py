"""What others get by pip: the wheel holds all that the packages need, and works where no checkout is near."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("attn", "diagnostics")
SOURCES = (*PACKAGES, "setup.py", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that nothing of an earlier build is in it and none is left in the checkout."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    command = [
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        target,
        source,
    ]
    run(sys.executable, "-m", *command, cwd=source)
    (built,) = target.glob("*.whl")
    return built


def run(*command, cwd):
    """A command that must succeed, without what this process knows of the checkout; gives what it prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel):
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    there = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    assert packed == there


def test_the_wheel_says_what_it_is(wheel):
    archive = ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    text = archive.read(metadata).decode()
    assert "\nRequires-Python: >=3.11\n" in text
    for version in ("3.11", "3.12", "3.13"):
        assert f"\nClassifier: Programming Language :: Python :: {version}\n" in text
    (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    for line in (
        "attn = attn.cli:main",
        "diagnose = diagnostics.cli:main",
        "diagnostics = diagnostics.plugin",
    ):
        assert line in archive.read(entry_points).decode()


@pytest.mark.slow
def test_the_wheel_works_in_a_clean_environment_and_an_empty_directory(wheel, tmp_path):
    environment, empty = tmp_path / "environment", tmp_path / "empty"
    empty.mkdir()
    venv.create(environment, with_pip=True)
    run(environment / "bin/python", "-m", "pip", "install", "--quiet", wheel, cwd=empty)
    report = [
        "report",
        "--subject",
        "historic",
        "--against",
        "corrected",
        "--num-pairs",
        32,
        "--out",
        "report",
    ]
    printed = run(environment / "bin/diagnose", *report, cwd=empty)
    assert "label-blind" in printed
    assert {"report.html", "report.md", "report.json"} <= {path.name for path in (empty / "report").iterdir()}
    assert " passed" in run(environment / "bin/pytest", "--pyargs", "diagnostics", "-q", cwd=empty)
