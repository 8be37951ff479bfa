"""Runs deleted, packed into one file, and unpacked; nothing but what a run consists of is touched.

An archive is a zip of NAME/spec.json, NAME/history.json, NAME/config.toml, NAME/weights.safetensors and
NAME/SHA256SUMS: JSON, TOML, plain arrays and checksums, no code.  Checkpoints and what TensorBoard shows
stay behind.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from attn.catalogue import BOARD, PRETRAINED, WEIGHTS, RunError, check_name, read_summary
from attn.checksums import SUMS
from attn.config import CONFIG
from attn.files import new_folder, write_whole
from attn.inputs import open_regular
from attn.locks import being_deleted, being_made, left_behind, locked_run
from attn.tensors import TensorsError, load_tensors

_NEEDED = ("spec.json", "history.json", WEIGHTS)
# Bytes that a member may unpack to: far above what a run needs, and far below what fills a disk.
_LARGEST = {"spec.json": 1 << 20, "history.json": 1 << 26, CONFIG: 1 << 20, WEIGHTS: 1 << 30, SUMS: 1 << 16}
_OF_A_RUN = {*_LARGEST, "checkpoints", BOARD}


def check_deletable(directory: Path) -> None:
    """Raise RunError for what is no run, ships with the package, is a link, or holds other things."""
    read_summary(directory)
    if directory.resolve().parent == PRETRAINED.resolve():
        raise RunError(f"a run to delete must not be one that ships with the package; got {directory.name}")
    if directory.is_symlink():
        raise RunError(f"a run to delete must be a directory itself; {directory} is a link to one")
    foreign = sorted(path.name for path in directory.iterdir() if not _is_of_a_run(path))
    if foreign:
        raise RunError(f"a run to delete must hold nothing but a run; {directory} holds {foreign[0]}")


def delete_run(directory: Path) -> None:
    """Delete the directory of a run.

    Raises RunError as `check_deletable`, if another process changes the run, and if the system refuses.
    """
    check_deletable(directory)
    with locked_run(directory, "deleted"):
        whole = directory.resolve()
        # under this name it is no run any more, whatever happens while its files go
        doomed = being_deleted(whole)
        try:
            whole.rename(doomed)
            shutil.rmtree(doomed)
        except OSError as error:
            raise RunError(f"{directory} could not be deleted: {error.strerror or error}") from error


def finish_deletion(directory: Path) -> bool:
    """Remove what is left of a run that was killed while it was deleted or made; False where nothing is.

    Raises RunError if another process changes a run of that name.
    """
    whole = directory.resolve()
    if whole.exists() or not whole.name or not left_behind(whole):
        return False
    with locked_run(directory, "deleted"):  # which removes it
        return True


def _is_of_a_run(path: Path) -> bool:
    is_unfinished = path.name.startswith(".") and path.suffix == ".tmp"
    return path.name in _OF_A_RUN or is_unfinished


def export_run(directory: Path, target: Path) -> None:
    """Pack a finished run into the archive `target`; the same run gives the same bytes.

    Raises RunError if it is no run, or not finished.
    """
    name = read_summary(directory).name
    missing = [needed for needed in _NEEDED if not (directory / needed).is_file()]
    if missing:
        raise RunError(f"a run to export must be finished; {directory} has no {missing[0]}")
    try:
        with write_whole(target) as file, ZipFile(file, "w") as archive:
            for member in _LARGEST:
                if (directory / member).is_file():
                    dateless = ZipInfo(f"{name}/{member}")
                    archive.writestr(dateless, _read_member(directory / member), ZIP_DEFLATED)
    except OSError as error:
        raise RunError(f"{target} could not be written: {error.strerror or error}") from error


def _read_member(path: Path) -> bytes:
    """A file of a run, of a size that could be imported again."""
    with open_regular(path) as file:
        if path.stat().st_size > _LARGEST[path.name]:
            raise RunError(
                f"{path} must not exceed {_LARGEST[path.name]} bytes; it has {path.stat().st_size}"
            )
        return file.read()


def import_run(source: Path, folder: Path, name: str | None = None) -> Path:
    """Unpack an archive into `folder`, under the name that it holds or another; the directory of the run.

    Raises RunError if it is no archive of a run, if a member has another name or is too large, if the weights
    are damaged or belong to another model, or if the run exists: then nothing is left in `folder`.
    """
    packed = _read_archive(source)
    directory = folder / check_name(packed.name if name is None else name)
    try:
        with new_folder(folder), locked_run(directory, "imported"):
            if directory.exists():
                raise RunError(f"an imported run needs a name that is free; {directory} exists")
            partial = being_made(directory)
            _unpack(packed, partial, source)
            partial.rename(directory)
    except OSError as error:
        raise RunError(f"{directory} could not be made: {error.strerror or error}") from error
    return directory


def _unpack(packed: "_Packed", partial: Path, source: Path) -> None:
    """The files in a directory of their own; nothing is left of it if they are not those of a run."""
    try:
        partial.mkdir()
        for member, content in packed.files.items():
            with write_whole(partial / member) as file:
                file.write(content)
        _check_whole(partial, source)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@dataclass(frozen=True)
class _Packed:
    """What an archive holds: the name of the run, and its files."""

    name: str
    files: dict[str, bytes]


def _read_archive(source: Path) -> _Packed:
    """The members, each known and of a size that a run may have; nothing is written."""
    try:
        opened = open_regular(source)
    except OSError as error:
        raise RunError(f"{source} could not be read: {error.strerror or error}") from error
    try:
        with opened, ZipFile(opened) as archive:
            members = archive.infolist()
            names = {tuple(member.filename.split("/")) for member in members}
            folders = {name[0] for name in names}
            if len(folders) != 1 or len(names) < len(members):
                raise RunError(
                    f"an archive of a run must hold one directory, each file once; {source} does not"
                )
            for member in members:
                _check_member(member, source)
            files = {member.filename.partition("/")[2]: archive.read(member) for member in members}
    except RunError:
        raise
    # a damaged archive shows itself in as many ways as its reader has steps
    except Exception as error:
        raise RunError(f"{source} must be an archive that attn runs export wrote: {error}") from error
    missing = [needed for needed in _NEEDED if needed not in files]
    if missing:
        raise RunError(f"an archive of a run must hold {', '.join(_NEEDED)}; {source} has no {missing[0]}")
    return _Packed(folders.pop(), files)


def _check_member(member: ZipInfo, source: Path) -> None:
    name = member.filename.partition("/")[2]
    if name not in _LARGEST:
        allowed = ", ".join(_LARGEST)
        raise RunError(f"an archive of a run may hold {allowed}; {source} holds {member.filename[:100]!r}")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # of others few bytes may ask for much memory
        raise RunError(f"an archive of a run must be stored or deflated; {name} in {source} is not")
    if member.file_size > _LARGEST[name]:
        raise RunError(
            f"{name} must not exceed {_LARGEST[name]} bytes; it has {member.file_size} in {source}"
        )


def _check_whole(directory: Path, source: Path) -> None:
    """Spec and history are as they were written, the weights undamaged and those of its model."""
    try:
        spec = read_summary(directory).spec
        trained = load_tensors(directory / WEIGHTS).description.get("model")
    except (RunError, TensorsError) as error:
        member = re.escape(f"{directory}/") + r"(\S+)"
        raise RunError(re.sub(member, lambda found: f"{found[1]} in {source}", str(error))) from error
    if trained != spec.get("model"):
        raise RunError(f"the weights must belong to the model of the spec; in {source} they do not")
