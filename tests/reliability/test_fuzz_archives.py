"""Archives of runs and files of pairs that were damaged, made up, or unpack to more than they seem."""

import io
import shutil
import stat
import zipfile
from zipfile import ZipFile, ZipInfo

import pytest
from hypothesis import strategies as st

from tests.reliability.harness import Tally, each, run
from tests.reliability.hostile import NAMES, NO_FILES, mutated
from tests.reliability.ledger import Promise
from tests.reliability.sound import make_archive, make_run

pytestmark = pytest.mark.usefixtures("in_this_process")

NUM_CASES, NUM_SMALLEST = 1500, 40
FILES = ("spec.json", "history.json", "config.toml", "weights.safetensors")
MEMBERS = [
    *(f"mine/{name}" for name in FILES),
    "mine/../../escaped",
    "/etc/escaped",
    "../escaped",
    "mine\\..\\x",
    "C:\\x",
    "mine/",
    "mine/model.keras",
    "mine/pickle.pkl",
    "mine//spec.json",
    "mine/./spec.json",
    "other/spec.json",
    "mine/spec.json/x",
    "spec.json",
    *(f"{name}/spec.json" for name in NAMES),
]
METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@st.composite
def archives(draw, sound, whole: bytes) -> bytes:
    """A sound archive changed as bytes, or one with links, foreign members, or far more than is said."""
    if draw(st.integers(0, 2)) == 0:
        return draw(mutated(whole))
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for name in FILES:
            if draw(st.integers(0, 19)):
                content = (sound / name).read_bytes()
                content = draw(mutated(content)) if draw(st.integers(0, 3)) == 0 else content
                archive.writestr(f"mine/{name}", content, draw(st.sampled_from([*METHODS[:2] * 5, *METHODS])))
        for _ in range(draw(st.integers(0, 2))):
            member = ZipInfo(
                draw(st.sampled_from(MEMBERS)).encode("utf-8", "replace").decode()[:60000] or "x"
            )
            if draw(st.booleans()):
                member.external_attr = (stat.S_IFLNK | 0o777) << 16
            content = draw(st.sampled_from([b"/etc/passwd", b"../..", bytes(2_000_000), b"{}", b""]))
            archive.writestr(member, content, draw(st.sampled_from(METHODS)))
    return draw(mutated(packed.getvalue(), 1)) if draw(st.integers(0, 4)) == 0 else packed.getvalue()


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sound") / "mine"
    make_run(directory)
    return directory


def test_archives(tmp_path, sound, promise, is_smallest):
    tally, home = Tally(), tmp_path / "home"

    def ask(case):
        content, folder, name = case
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        if isinstance(content, bytes):
            (home / "mine.zip").write_bytes(content)
        else:
            NO_FILES[content](home / "mine.zip")
        options = ["--folder", folder, *([] if name is None else ["--name", name])]
        ended = run("attn", ["runs", "import", "mine.zip", *options], home, may_write=("runs",))
        tally.add(ended, case)
        assert {path.name for path in tmp_path.iterdir()} == {"home"}

    content = st.one_of(
        archives(sound, make_archive(sound)),
        archives(sound, make_archive(sound)),
        st.sampled_from(list(NO_FILES)),
    )
    folders = st.sampled_from(["runs"] * 9 + ["/dev/null/x", "mine.zip", "runs/" + "x" * 300])
    names = st.one_of(*[st.just(None)] * 5, st.sampled_from(NAMES))
    each(st.tuples(content, folders, names), NUM_SMALLEST if is_smallest else NUM_CASES, ask)
    text = "an archive that is none, or holds links, other names or too much, is refused and leaves nothing"
    kept = tally.num_cases - len(tally.broken)
    promise(Promise("fuzz", text, kept, tally.num_cases, is_random=True, note=tally.note))
