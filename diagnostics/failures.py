"""Failures on disk, one small JSON file each, so that one command can ask the same again."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from attn.files import write_whole
from attn.inputs import read_text
from diagnostics.result import CheckResult

SCHEMA_VERSION = 1
DEFAULT_FOLDER = Path(".diagnostics/failures")


class FailureError(ValueError):
    """A stored failure that does not exist, or cannot be read; one sentence."""


class Failure(BaseModel):
    """A check that failed, or broke: what it takes to ask again, and what was said.

    spec    what stood after --subject
    pairs   the file of --pairs; None for the subject's own process
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    spec: str
    check: str
    seed: int
    num_pairs: int
    pairs: str | None = None
    status: str
    detail: str

    @property
    def id(self) -> str:
        """Eight hexadecimal digits; the same for the same question."""
        question = [self.spec, self.check, self.seed, self.num_pairs]
        question += [] if self.pairs is None else [self.pairs]
        return hashlib.sha256(json.dumps(question).encode()).hexdigest()[:8]


class _File(Failure):
    """What stands on disk; the checksum is that of the failure's JSON, None in files of older versions."""

    checksum: str | None = None


def failures_of(
    results: Sequence[CheckResult], *, spec: str, num_pairs: int, pairs: Path | None = None
) -> list[Failure]:
    """What is to be stored of a battery: every result that failed or is an error."""
    return [
        Failure(
            spec=spec,
            check=result.check,
            seed=result.seed,
            num_pairs=num_pairs,
            pairs=None if pairs is None else str(pairs.resolve()),
            status=result.status,
            detail=result.detail,
        )
        for result in results
        if result.status in ("failed", "error")
    ]


def store_failures(folder: Path, failures: Sequence[Failure]) -> None:
    """Write failures into a folder, which is made if there is one to write; raises OSError."""
    for failure in failures:
        folder.mkdir(parents=True, exist_ok=True)
        with write_whole(folder / f"{failure.id}.json") as file:
            kept = _File(**failure.model_dump(), checksum=_checksum(failure))
            file.write(f"{kept.model_dump_json(indent=1)}\n".encode())


def load_failure(folder: Path, failure_id: str) -> Failure:
    """The failure of that ID.  Raises FailureError where there is none, or its file is damaged."""
    known = sorted(path.stem for path in folder.glob("*.json"))
    if failure_id not in known:
        stored = (
            f"one of those in {folder}, {', '.join(known)}" if known else f"stored, and {folder} has none"
        )
        raise FailureError(f"the ID of a failure must be {stored}; got {failure_id!r}")
    path = folder / f"{failure_id}.json"
    try:
        kept = _File.model_validate_json(read_text(path))
    except ValueError as error:  # no UTF-8, no JSON, or no failure
        raise FailureError(f"{path} is damaged, or no stored failure (delete it)") from error
    failure = Failure(**kept.model_dump(exclude={"checksum"}))
    is_as_written = failure.id == failure_id and kept.checksum in (None, _checksum(failure))
    if failure.schema_version != SCHEMA_VERSION or not is_as_written:
        raise FailureError(f"{path} is damaged, or of another version (delete it)")
    return failure


def _checksum(failure: Failure) -> str:
    return hashlib.sha256(failure.model_dump_json().encode()).hexdigest()
