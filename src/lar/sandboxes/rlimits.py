"""Limits the kernel keeps for each process, as options of the program `prlimit`."""

import resource

from lar.sandboxes.contract import Limits

_OPEN_FILES = 1024


def options(limits: Limits, *, memory: str = "", processes: bool = False) -> list[str]:
    """Soft and hard limits, never above what we have ourselves.

    `memory` names the limit that holds a process's memory, if one is to: `as` for all its addresses, `data` for what
    it can write. `processes`: whether the user's processes are the run's.
    """
    wanted = [
        ("core", resource.RLIMIT_CORE, 0),
        ("fsize", resource.RLIMIT_FSIZE, limits.file_size),
        ("nofile", resource.RLIMIT_NOFILE, _OPEN_FILES),
    ]
    if memory:
        wanted.append((memory, resource.RLIMIT_AS if memory == "as" else resource.RLIMIT_DATA, limits.memory))
    if processes:
        wanted.append(("nproc", resource.RLIMIT_NPROC, limits.processes))
    chosen: list[str] = []
    for name, kind, value in wanted:
        hard = resource.getrlimit(kind)[1]
        chosen.append(f"--{name}={value if hard == resource.RLIM_INFINITY else min(value, hard)}")
    return chosen
