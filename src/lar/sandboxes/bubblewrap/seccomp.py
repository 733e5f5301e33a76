"""The filter of system calls as bubblewrap takes it: a program for the kernel, made by libseccomp."""

import os
from functools import cache
from typing import Any

from lar.sandboxes.process import memory_file
from lar.sandboxes.syscalls import NUMBERS, Condition, denied

_UNKNOWN = -1


def filter_file(*, memory_counted: bool) -> int:
    """A new descriptor of the filter."""
    return memory_file(_program(memory_counted))


def missing() -> str:
    """Why there is no filter, empty if there is one."""
    try:
        _program(True)  # which of the two does not matter
    except (ImportError, OSError, RuntimeError) as error:
        return str(error)
    return ""


@cache
def _program(memory_counted: bool) -> bytes:
    import pyseccomp as seccomp  # loads libseccomp

    rules: Any = seccomp.SyscallFilter(seccomp.ALLOW)
    operators = {"equal": seccomp.EQ, "greater": seccomp.GT, "masked": seccomp.MASKED_EQ}

    def argument(condition: Condition) -> Any:
        values = (condition.mask, condition.value) if condition.operator == "masked" else (condition.value,)
        return seccomp.Arg(condition.argument, operators[condition.operator], *values)

    for each in denied(memory_counted=memory_counted):
        known = seccomp.resolve_syscall(seccomp.system_arch(), each.call) != _UNKNOWN
        if known or each.call in NUMBERS:
            call = each.call if known else NUMBERS[each.call]
            rules.add_rule(seccomp.ERRNO(each.error), call, *map(argument, each.conditions))
    with os.fdopen(memory_file(b""), "w+b") as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
