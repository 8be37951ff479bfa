"""The pytest plugin: `pytest --subject MODULE:FACTORY` runs the battery, in any repository.

It is loaded in every pytest run of an environment that has this package: without --subject it adds nothing,
and nothing heavy is imported before a test asks for a fixture.  The subject is asked in the process of the
test, where a debugger can be used: one that ends the process ends the run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

if TYPE_CHECKING:
    from diagnostics.battery import Battery
    from diagnostics.subject import Subject

DEFAULT_SUBJECT = "corrected"
_SUBJECT: pytest.StashKey["Subject"] = pytest.StashKey()
_BATTERY: pytest.StashKey["Battery"] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    group = parser.getgroup("diagnostics", "diagnostics of autoregressive attention models")
    group.addoption(
        "--subject",
        metavar="NAME|DIR|MODULE:FACTORY",
        help="run the battery over a model: a shipped run, the directory of a run, or package.module:factory",
    )
    group.addoption(
        "--pairs",
        metavar="FILE",
        help="npz file of the pairs to ask about (attn.files.save_pairs); default: the subject's own process",
    )
    group.addoption(
        "--expected-failures",
        metavar="FILE",
        help='JSON {"check": "reason"} of checks that are known to fail; one that passes is a failure',
    )
    group.addoption(
        "--check-timeout",
        metavar="SECONDS",
        type=float,
        help="give a check up that takes longer; default: 300 s",
    )


def pytest_configure(config: pytest.Config) -> None:
    """With --subject: the markers of its items, `battery` and the families."""
    if config.getoption("--subject") is None:
        return
    from diagnostics.result import Family

    config.addinivalue_line("markers", "battery: the checks of --subject")
    for family in get_args(Family):
        config.addinivalue_line("markers", f"{family}: the checks of --subject of that family")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """A wrong subject or file ends the run here, with its sentence and the exit code of a wrong command."""
    config = session.config
    # a worker of xdist need not look: the process that started it has
    if config.getoption("--subject") and not config.option.collectonly and not hasattr(config, "workerinput"):
        with _sentence_of(pytest.UsageError):
            _known_battery(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """With --subject, add the battery, unless a collected test asks its checks already."""
    if config.getoption("--subject") is None:
        return
    from diagnostics.pytest_items import asks_a_check, collect_battery

    if any(asks_a_check(item) for item in items):
        return
    with _sentence_of(pytest.UsageError):
        expected = read_expected_failures(config.getoption("--expected-failures"))

    def load() -> "Battery":
        with _sentence_of(_failure):
            return _known_battery(config)

    items.extend(collect_battery(session, expected, load))


@pytest.fixture(scope="session")
def subject(pytestconfig: pytest.Config) -> "Subject":
    """The subject named by --subject; without it, the shipped corrected run."""
    with _sentence_of(_failure):
        return _subject(pytestconfig)


@pytest.fixture(scope="session")
def battery(subject: "Subject", pytestconfig: pytest.Config) -> "Battery":
    """The battery prepared for the subject, with the expected failures of --expected-failures."""
    with _sentence_of(_failure):
        expected = read_expected_failures(pytestconfig.getoption("--expected-failures"))
        return _prepare(pytestconfig, subject, expected)


def _failure(sentence: str) -> BaseException:
    return pytest.fail.Exception(sentence, pytrace=False)


@contextmanager
def _sentence_of(kind: Callable[[str], BaseException]) -> Iterator[None]:
    """What is wrong with an option is raised as that kind: its sentence, and no traceback."""
    try:
        yield
    except ValueError as error:
        failure = kind(str(error))
        raise failure from None


def _subject(config: pytest.Config) -> "Subject":
    if _SUBJECT not in config.stash:
        from attn.quiet import silence_tensorflow

        silence_tensorflow()
        from diagnostics.adapters import load_subject

        config.stash[_SUBJECT] = load_subject(config.getoption("--subject") or DEFAULT_SUBJECT)
    return config.stash[_SUBJECT]


def _known_battery(config: pytest.Config) -> "Battery":
    """The battery that the items share; an expected failure that names no check has an item of its own."""
    if _BATTERY not in config.stash:
        from diagnostics.checks import CHECKS

        names = {check.name for check in CHECKS}
        expected = read_expected_failures(config.getoption("--expected-failures"))
        known = {name: reason for name, reason in expected.items() if name in names}
        config.stash[_BATTERY] = _prepare(config, _subject(config), known)
    return config.stash[_BATTERY]


def _prepare(config: pytest.Config, subject: "Subject", expected: dict[str, str]) -> "Battery":
    from diagnostics.runner import TIME_LIMIT, prepare

    spec, path = config.getoption("--subject") or DEFAULT_SUBJECT, config.getoption("--pairs")
    limit = config.getoption("--check-timeout")
    source = None
    if path is not None:
        from attn.files import load_pairs

        source = load_pairs(Path(path)).pairs
    return prepare(
        subject,
        source=source,
        spec=spec,
        options=() if path is None else ("--pairs", path),
        expected_failures=expected,
        time_limit=TIME_LIMIT if limit is None else limit,
    )


def read_expected_failures(path: str | None) -> dict[str, str]:
    """The JSON file {check: reason}; nothing without a path.  Raises ValueError for other content."""
    if path is None:
        return {}
    from attn.inputs import read_json

    try:
        content: Any = read_json(Path(path))
    except (OSError, ValueError) as error:
        raise ValueError(f"expected failures must be a readable JSON file; got {path}: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(reason, str) for reason in content.values()):
        raise ValueError(f"expected failures must be a JSON object of check: reason; got {str(content)[:80]}")
    return content
