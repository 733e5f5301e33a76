"""Names below an open folder, reached without following a link, whatever somebody swaps in meanwhile.

On Linux the kernel resolves the whole name (`openat2`); elsewhere, and where that call is missing, each part of it is
opened below the one before.
"""

import ctypes
import errno
import os
import platform
import sys
from functools import cache

from lar.errors import ToolError

MAX_PART, MAX_NAME, MAX_DEPTH = 255, 1000, 32
"""How long one part of a name and a whole name may be, in bytes of UTF-8, and how many parts it may have."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a folder is opened."""

_OPENAT2 = 437
_MACHINES = frozenset({"x86_64", "i686", "aarch64", "armv6l", "armv7l", "armv8l", "riscv64", "ppc64le", "s390x"})
"""Processors on which `openat2` has this number."""
_BENEATH, _NO_SYMLINKS, _NO_MAGICLINKS = 0x08, 0x04, 0x02


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def clean(name: str) -> str:
    """The name as it is used: relative, without `.` and doubled slashes; empty for the folder itself.

    Raises:
        ToolError: it leads out of the folder, or is no name people could read; the text says why.

    """
    if name.startswith(("/", "~/")):
        raise ToolError(
            f"{shown(name)} is an absolute path. Files are named relative to their folder, as in `a/b.txt`."
        )
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ToolError(f"{shown(name)} leads out of the folder. Name files without `..`.")
    if not name.isprintable():
        raise ToolError(f"{shown(name)} has line breaks, control or invisible characters, which names must not have.")
    sizes = [len(part.encode()) for part in parts]
    if len(parts) > MAX_DEPTH or sum(sizes) + len(parts) > MAX_NAME or max(sizes, default=0) > MAX_PART:
        raise ToolError(
            f"The name {shown(name)} is too long: at most {MAX_PART} bytes a part, {MAX_DEPTH} parts and "
            f"{MAX_NAME} bytes in all."
        )
    return "/".join(parts)


def shown(name: str) -> str:
    """A name as a sentence may quote it: on one line, not too long, what is no clean text escaped."""
    clear = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)
    return f"`{clear if len(clear) <= 120 else f'{clear[:100]}…{clear[-19:]}'}`"  # noqa: PLR2004  # a line of a message


def open_beneath(folder: int, name: str, flags: int, mode: int = 0) -> int:
    """Open a clean name below the folder open as `folder`; a link anywhere in it is an error.

    Raises:
        OSError: as `open` has it; ELOOP or ENOTDIR where a link is in the way.

    """
    resolve = _by_kernel if kernel_resolves() else _by_parts
    return resolve(folder, name or ".", flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


@cache
def kernel_resolves() -> bool:
    """Whether the kernel has `openat2` and lets us call it."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return False
    root = os.open("/", FOLDER)
    try:
        os.close(_by_kernel(root, ".", FOLDER, 0))
    except OSError:
        return False
    finally:
        os.close(root)
    return True


def _by_kernel(folder: int, name: str, flags: int, mode: int) -> int:
    how = _How(flags, mode, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
    found = _syscall()(
        ctypes.c_long(_OPENAT2),
        ctypes.c_long(folder),
        ctypes.c_char_p(os.fsencode(name)),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
    return found


@cache
def _syscall() -> "ctypes._NamedFuncPointer":  # pyright: ignore[reportPrivateUsage]  # the type of every C function
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    return call


def _by_parts(folder: int, name: str, flags: int, mode: int) -> int:
    *above, leaf = name.split("/")
    if ".." in {*above, leaf}:  # never in a clean name
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
    at = os.dup(folder)
    try:
        for part in above:
            inner = os.open(part, FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        return os.open(leaf, flags, mode, dir_fd=at)
    finally:
        os.close(at)
