"""The peak memory of a command and of every process that it starts."""

import subprocess
from pathlib import Path
from time import sleep

# How often the processes are looked at; shorter peaks are not seen.
INTERVAL = 0.05


def peak_memory(command: list[str]) -> float:
    """The most GiB that the processes of a command held together; it must end well.

    Pages that several processes share count once in all (proportional set size).  Linux only.
    """
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, _held(process.pid))
            sleep(INTERVAL)
    if process.returncode not in (0, 1):  # 1: a battery or a report with a finding
        raise RuntimeError(f"{' '.join(command)} must end with 0 or 1; got {process.returncode}")
    return peak / 2**30


def _held(pid: int) -> int:
    """Bytes of a process and of its children, theirs included; 0 once it has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    own = [int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")]
    return sum(own) + sum(_held(int(child)) for child in children)
