import pytest

from attn import memory
from attn.commands.fits import require_training
from attn.memory import MemoryLimitError, available_memory, require_memory
from attn.models import PairSmootherConfig
from attn.processes import PairProcess
from attn.train import TrainConfig

GIB = 1 << 30


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Write what the system says of its memory."""
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUP", tmp_path / "cgroup")

    def says(meminfo="MemTotal: 9 kB\nMemAvailable: 8388608 kB\nSwapFree: 1048576 kB\n", **group):
        if meminfo is not None:
            (tmp_path / "meminfo").write_text(meminfo)
        for name, text in group.items():
            path = tmp_path / "cgroup" / name.replace("__", "/").replace("_of_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return says


def test_what_is_available_is_memory_and_swap(machine):
    machine()
    assert available_memory() == 9 * GIB


def test_nobody_says_what_is_available(machine):
    machine(meminfo=None)
    assert available_memory() is None
    require_memory(1e30, "this request")


@pytest.mark.parametrize(
    "meminfo", ["", "nonsense", "MemAvailable: lots\nSwapFree: 0 kB\n", "MemAvailable: 1 kB\n"]
)
def test_a_system_of_another_kind_says_nothing(machine, meminfo):
    machine(meminfo=meminfo)
    assert available_memory() is None


def test_a_container_has_its_limit_and_the_cache_of_files_is_given_back(machine):
    machine(
        memory_of_max=f"{4 * GIB}\n", memory_of_current=f"{3 * GIB}\n", memory_of_stat=f"anon 9\nfile {GIB}\n"
    )
    assert available_memory() == 2 * GIB


def test_a_container_without_a_limit(machine):
    machine(memory_of_max="max\n", memory_of_current="5\n", memory_of_stat="file 0\n")
    assert available_memory() == 9 * GIB


def test_a_container_of_the_first_version(machine):
    machine(
        memory__memory_of_limit_in_bytes=f"{2 * GIB}\n",
        memory__memory_of_usage_in_bytes=f"{GIB}\n",
        memory__memory_of_stat="cache 0\nrss 1\n",
    )
    assert available_memory() == GIB


def test_a_request_is_refused_with_the_estimate_and_with_what_would_need_less(machine):
    machine()
    require_memory(9 * GIB, "this request")
    with pytest.raises(MemoryLimitError) as refused:
        require_memory(180 * GIB, "this request", "fewer --number")
    assert str(refused.value) == (
        "this request needs about 180 GiB of memory; 9 GiB are available (fewer --number)"
    )
    with pytest.raises(MemoryLimitError, match=r"^it needs about 1e\+18 TiB of memory; 9 GiB are available$"):
        require_memory(1e18 * (1 << 40), "it")


def test_this_machine_says_what_it_has():
    assert available_memory() is None or available_memory() > 1 << 20


def test_a_worker_needs_memory_for_its_own_rows(machine):
    machine()
    source, model = PairProcess(num_points=100), PairSmootherConfig()
    batch = TrainConfig(batch_size=3200)
    require_training(source, batch, model, num_workers=100)
    with pytest.raises(MemoryLimitError, match="this training needs about"):
        require_training(source, batch, model)
