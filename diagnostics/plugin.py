"""The pytest plugin: options --subject and --expected-failures, fixtures `subject` and `battery`.

It is loaded in every pytest run of an environment that has this package, so nothing heavy is imported
before a test asks for a fixture.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from diagnostics.runner import Battery
    from diagnostics.subject import Subject

DEFAULT_SUBJECT = "corrected"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    group = parser.getgroup("diagnostics", "diagnostics of autoregressive attention models")
    group.addoption(
        "--subject",
        default=DEFAULT_SUBJECT,
        metavar="NAME|DIR|MODULE:FACTORY",
        help="the model under diagnosis: a shipped run, the directory of a run, or package.module:factory",
    )
    group.addoption(
        "--expected-failures",
        metavar="FILE",
        help='JSON {"check": "reason"} of checks that are known to fail; one that passes is a failure',
    )


@pytest.fixture(scope="session")
def subject(pytestconfig: pytest.Config) -> "Subject":
    """The subject named by --subject."""
    from diagnostics.adapters import load_subject

    with _one_sentence():
        return load_subject(pytestconfig.getoption("--subject"))


@pytest.fixture(scope="session")
def battery(subject: "Subject", pytestconfig: pytest.Config) -> "Battery":
    """The battery prepared for the subject, with the expected failures of --expected-failures."""
    from diagnostics.runner import prepare

    with _one_sentence():
        expected = read_expected_failures(pytestconfig.getoption("--expected-failures"))
        return prepare(subject, spec=pytestconfig.getoption("--subject"), expected_failures=expected)


@contextmanager
def _one_sentence() -> Iterator[None]:
    """A wrong option fails the tests that need it with its sentence, and no traceback."""
    try:
        yield
    except ValueError as error:
        failure = pytest.fail.Exception(str(error), pytrace=False)
        raise failure from None


def read_expected_failures(path: str | None) -> dict[str, str]:
    """The JSON file {check: reason}; nothing without a path.  Raises ValueError for other content."""
    if path is None:
        return {}
    try:
        content: Any = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"expected failures must be a readable JSON file; got {path}: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(reason, str) for reason in content.values()):
        raise ValueError(f"expected failures must be a JSON object of check: reason; got {str(content)[:80]}")
    return content
