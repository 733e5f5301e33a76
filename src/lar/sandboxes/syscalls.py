"""What a command may not ask of the kernel: one list, from which each sandbox makes the filter it needs."""

import errno
import os
import stat
from dataclasses import dataclass
from typing import Literal

Operator = Literal["equal", "greater", "masked"]


@dataclass(frozen=True, slots=True)
class Condition:
    """On one argument: it is `value`, or greater, or has these bits of `mask`."""

    argument: int
    operator: Operator
    value: int
    mask: int = 0


@dataclass(frozen=True, slots=True)
class Denied:
    """A call that fails with `error` if all conditions hold."""

    call: str
    conditions: tuple[Condition, ...] = ()
    error: int = errno.EPERM


NUMBERS = {"mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447, "fchmodat2": 452, "open_tree_attr": 467}
"""Of calls that older versions of libseccomp do not know by name; newer calls have one number everywhere."""

_ALWAYS = (
    # namespaces and mounts of one's own
    *("mount", "umount", "umount2", "pivot_root", "chroot", "unshare", "setns", "fsopen", "fsconfig", "fsmount"),
    *("fspick", "move_mount", "open_tree", "open_tree_attr", "mount_setattr", "name_to_handle_at", "open_by_handle_at"),
    # other processes, keys
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise", "move_pages"),
    *("migrate_pages", "add_key", "request_key", "keyctl"),
    # the kernel itself
    *("bpf", "perf_event_open", "userfaultfd", "lookup_dcookie", "fanotify_init", "init_module", "finit_module"),
    *("delete_module", "create_module", "query_module", "get_kernel_syms", "kexec_load", "kexec_file_load", "reboot"),
    *("swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "nfsservctl", "syslog", "vhangup", "settimeofday"),
    *("clock_settime", "clock_adjtime", "adjtimex", "stime", "iopl", "ioperm", "modify_ldt", "vm86", "vm86old"),
    *("uselib", "ustat", "sysfs", "_sysctl"),
)
_OPAQUE = ("clone3", "openat2", "io_uring_setup", "io_uring_enter", "io_uring_register")
"""Their arguments cannot be looked into: programs are told that this kernel does not have them, and use older calls."""
_UNCOUNTED = ("memfd_create", "memfd_secret", "shmget", "msgget", "mq_open")
"""Memory that only a control group counts."""
_NAMESPACES = (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
"""CLONE_NEW*: time, mounts, control group, host name, IPC, user, PID, network."""
_TYPE_INTO_TERMINAL = (0x5412, 0x541C)
"""TIOCSTI, TIOCLINUX."""
_FAMILIES = frozenset({1, 2, 10, 16})
"""Unix, IPv4, IPv6, netlink. Not the hypervisor's sockets, which no network namespace holds back."""
_GIVING_RIGHTS = (
    *(("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2), ("creat", 1), ("mknod", 1), ("mknodat", 2)),
    *(("open", 2, os.O_CREAT), ("open", 2, os.O_TMPFILE), ("openat", 3, os.O_CREAT), ("openat", 3, os.O_TMPFILE)),
)
"""Call, argument of the mode; where the mode only means something with a flag: that flag, in the argument before."""


def denied(*, memory_counted: bool) -> list[Denied]:
    """The list; `memory_counted`: whether a control group counts what the run holds."""
    found = [Denied(call) for call in (*_ALWAYS, *(() if memory_counted else _UNCOUNTED))]
    found += [Denied(call, error=errno.ENOSYS) for call in _OPAQUE]
    found += [Denied("clone", (_has(0, flag),)) for flag in _NAMESPACES]
    found += [Denied("ioctl", (Condition(1, "masked", request, 0xFFFFFFFF),)) for request in _TYPE_INTO_TERMINAL]
    last = max(_FAMILIES)
    found += [Denied("socket", (Condition(0, "equal", family),)) for family in sorted(set(range(last)) - _FAMILIES)]
    found += [Denied("socket", (Condition(0, "greater", last),))]
    for call, mode, *flags in _GIVING_RIGHTS:
        for bit in (stat.S_ISUID, stat.S_ISGID):
            found.append(Denied(call, (*(_has(mode - 1, flag) for flag in flags), _has(mode, bit))))
    return found


def _has(argument: int, bits: int) -> Condition:
    return Condition(argument, "masked", bits, bits)
