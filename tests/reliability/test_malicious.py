"""Files that would run code if anything read them as more than JSON, TOML and plain arrays."""

import ast
import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import attn
import diagnostics
from tests.reliability.harness import run
from tests.reliability.ledger import Promise
from tests.reliability.sound import make_archive, make_run

pytestmark = pytest.mark.usefixtures("in_this_process")

SENTINEL = "executed"
CHECK = "diagnose check --subject mine --check no_future_leak --num-pairs 2 --no-store"
OF_A_RUN = [
    "attn project --run mine --layer table",
    "attn runs list --folder .",
    "attn runs export mine",
    CHECK,
]
OF_A_RUN += [
    "attn train --run new --start-from mine",
    "attn infer --run mine --number 1",
    "attn runs delete mine",
]


class Payload:
    """What pickle would call: a shell that leaves a file."""

    def __reduce__(self):
        return os.system, (f"touch {SENTINEL}",)


def a_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Payload()))


def a_pickled_array(path: Path) -> None:
    np.savez(path.open("wb"), x=np.array([Payload()], dtype=object), y=np.array([Payload()], dtype=object))


def a_keras_archive(path: Path) -> None:
    layer = {
        "class_name": "Lambda",
        "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wAA"}}},
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "config.json", json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}})
        )
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", b"")


def an_hdf5_model(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Lambda", "config": {"function": ["4wAA", None, None]}}
        )


def python_code(path: Path) -> None:
    path.write_text(f"import os\nos.system('touch {SENTINEL}')\n")


def a_module_path(path: Path) -> None:
    content = {"schema_version": 1, "model": {"kind": "os:system", "module": "os", "class_name": "system"}}
    path.write_text(
        json.dumps(content | {"process": {"py/object": "os.system", "args": [f"touch {SENTINEL}"]}})
    )


def a_yaml_tag(path: Path) -> None:
    path.write_text(f"!!python/object/apply:os.system ['touch {SENTINEL}']\n")


FORMS = [a_pickle, a_pickled_array, a_keras_archive, an_hdf5_model, python_code, a_module_path, a_yaml_tag]
PLACES = {
    "mine/spec.json": OF_A_RUN,
    "mine/history.json": OF_A_RUN[:4],
    "mine/weights.safetensors": OF_A_RUN,
    "mine/config.toml": ["attn train --run new --config mine/config.toml"],
    "mine/model.keras": ["attn runs delete mine --yes"],
    "mine.zip": ["attn runs import mine.zip"],
    "pairs.npz": ["attn train --run new --pairs pairs.npz", f"{CHECK} --pairs pairs.npz"],
    "table.csv": ["attn train --run new --csv table.csv", "attn study --csv table.csv"],
    "known.json": [f"{CHECK} --expected-failures known.json"],
    "base.json": ["diagnose compare base.json --subject mine"],
    "stored/01234567.json": ["diagnose replay 01234567 --failures stored"],
}


def test_nothing_is_executed(tmp_path, promise, is_smallest):
    cases = [
        (form, place, command) for place, commands in PLACES.items() for command in commands for form in FORMS
    ]
    kept, broken = 0, []
    for number, (form, place, command) in enumerate(cases[::8] if is_smallest else cases):
        home = tmp_path / str(number)
        make_run(home / "mine")
        (home / place).parent.mkdir(exist_ok=True)
        form(home / place)
        program, *arguments = command.split()
        ended = run(program, arguments, home)
        # what stands beside the run, or where only the spec is read, may go unnoticed; it may not be executed
        if ended.wrong is None and not list(home.rglob(SENTINEL)):
            kept += 1
        else:
            broken.append(f"{form.__name__} as {place}: {command}: {ended.wrong}")
    text = "loading executes nothing: pickles, Keras archives, HDF5, code, module paths, YAML for every file"
    promise(Promise("security", text, kept, kept + len(broken), note="; ".join(broken[:3])))


def test_archives_with_links_and_bombs(tmp_path, promise):
    make_run(tmp_path / "mine")
    sound = make_archive(tmp_path / "mine")
    link = zipfile.ZipInfo("mine/config.toml")
    link.external_attr = 0o120777 << 16
    members = {
        "a name that climbs": ("mine/../../escaped", b"x"),
        "an absolute name": ("/tmp/escaped", b"x"),
        "code": ("mine/model.pkl", pickle.dumps(Payload())),
        "a bomb": ("mine/config.toml", bytes(1 << 24)),
        "a Keras archive": ("mine/model.keras", b"PK"),
    }
    refused = 0
    for number, (name, content) in enumerate(members.values()):
        home = tmp_path / str(number)
        home.mkdir()
        packed = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(sound)) as old,
            zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            for member in old.namelist():
                if member != name:
                    new.writestr(member, old.read(member))
            new.writestr(name, content)
        (home / "mine.zip").write_bytes(packed.getvalue())
        ended = run("attn", ["runs", "import", "mine.zip"], home)
        refused += ended.wrong is None and ended.code == 2
    # a link is unpacked as what it says, a file: nothing is followed
    home = tmp_path / "link"
    home.mkdir()
    with zipfile.ZipFile(home / "mine.zip", "w") as new, zipfile.ZipFile(io.BytesIO(sound)) as old:
        for member in old.namelist():
            new.writestr(
                link if member == link.filename else member,
                "/etc/passwd" if member == link.filename else old.read(member),
            )
    run("attn", ["runs", "import", "mine.zip"], home)
    refused += not any(path.is_symlink() for path in home.rglob("*"))
    text = "an archive with names that climb, links, code or a bomb is refused, or its links are plain files"
    promise(Promise("security", text, refused, len(members) + 1))


FORBIDDEN_MODULES = {
    "yaml",
    "pickle",
    "cPickle",
    "marshal",
    "shelve",
    "dill",
    "joblib",
    "cloudpickle",
    "jsonpickle",
    "http.server",
    "socketserver",
    "socket",
    "wsgiref",
    "xmlrpc",
    "telnetlib",
    "ftplib",
    "urllib.request",
    "requests",
}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "load_model",
    "model_from_json",
    "unsafe_load",
    "popen",
    "system",
}
# A module that the user names is code by design; public names are loaded when they are first asked for.
IMPORTING = {"diagnostics/adapters.py", "attn/lazy.py"}


def sources() -> list[Path]:
    return [
        path
        for package in (attn, diagnostics)
        for path in sorted(Path(package.__file__).parent.rglob("*.py"))
    ]


# What goes between a process and one that it has started itself; never what lies on a disk.
BETWEEN_OUR_PROCESSES = {"cells/process.py", "diagnostics/examiner.py", "diagnostics/isolated.py"}


def offences(path: Path) -> list[str]:
    """What a file imports or calls that could execute data, or open a door."""
    name = f"{path.parents[0].name}/{path.name}"
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            found += [
                module
                for module in modules
                if module in FORBIDDEN_MODULES and (module, name in BETWEEN_OUR_PROCESSES) != ("pickle", True)
            ]
        if isinstance(node, ast.Call):
            called = node.func
            # re.compile is another than compile
            word = (
                called.id
                if isinstance(called, ast.Name)
                else called.attr
                if isinstance(called, ast.Attribute)
                else ""
            )
            is_builtin = isinstance(called, ast.Name) or word not in ("compile", "eval", "exec")
            if word in FORBIDDEN_CALLS and is_builtin:
                found.append(word)
            if word == "import_module" and name not in IMPORTING:
                found.append(word)
            for keyword in node.keywords:
                given = getattr(keyword.value, "value", None)
                if (keyword.arg, given) in (("allow_pickle", True), ("shell", True), ("safe_mode", False)):
                    found.append(f"{keyword.arg}={given}")
                if keyword.arg == "host" and given != "127.0.0.1":
                    found.append(f"host={given}")
    return [f"{name}: {what}" for what in found]


def test_no_code_could_execute_data_or_open_a_port(promise):
    found = {path: offences(path) for path in sources()}
    broken = [offence for of_file in found.values() for offence in of_file]
    text = (
        "no file of the packages unpickles what may come from elsewhere, evaluates, reads YAML, calls a"
        " shell, or opens a port"
    )
    kept = sum(not of_file for of_file in found.values())
    promise(Promise("security", text, kept, len(found), note="; ".join(broken)))


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "eval('1')",
        "f(allow_pickle=True)",
        "run(x, shell=True)",
        "from socket import socket",
        "serve(host='0.0.0.0')",
    ],
)
def test_the_scan_can_fail(tmp_path, text):
    (tmp_path / "bad.py").write_text(text)
    assert len(offences(tmp_path / "bad.py")) == 1
