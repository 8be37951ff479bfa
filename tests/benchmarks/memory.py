"""The peak memory of a command and of every process that it starts."""

import subprocess
from contextlib import suppress
from time import sleep

import psutil

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
    """Bytes of a process and of all that it started, whichever thread did; 0 once it has ended."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().pss
    return total
