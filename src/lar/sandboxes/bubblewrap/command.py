"""The command lines: what a command sees of this machine, and who it is."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lar.sandboxes.contract import Spec

USER = "65534"
_STAGE = Path("/run/lar-sandbox")
_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_OF_ETC = ("ld.so.cache", "alternatives", "localtime", "fonts", "mime.types")
_TEMPORARY, _SHARED = 64 << 20, 16 << 20
_ETC = {
    "/etc/passwd": f"nobody:x:{USER}:{USER}:nobody:/work:/bin/sh\n",
    "/etc/group": f"nogroup:x:{USER}:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
"""Files a command finds in /etc beside what is public there."""


def data(spec: Spec) -> dict[str, bytes]:
    """Files that are made for a run, by name: those of /etc, and its input."""
    return {name: text.encode() for name, text in _ETC.items()} | {_STDIN: spec.stdin}


_ENTER = """
while [ "$1" != -- ]; do
    mount --bind -o nosuid,nodev "$1" "$2" || exit 125
    shift 2
done
shift
exec env -i "$@"
"""
"""Run by root in a mount namespace of its own: shows the unprivileged user the folders of one run."""


_STDIN = "/etc/stdin"
_BEGIN = f"""
filters() {{ found=; while read -r name value; do case $name in Seccomp*) found="$found $value" ;; esac; done <"$1"; }}
filters /proc/self/status; ours=$found
until filters /proc/1/status; [ "$found" = "$ours" ]; do :; done
echo >&0
read -r word && [ "$word" = go ] || exit 125
exec <{_STDIN} "$@"
"""
"""Run inside, before the command: goes on when the gateway, which lives, knows that its death has come to mean ours.

The first process of the namespace binds its life to bubblewrap's just before it takes on the filter, and may come to
that later than we to this: we wait until it has the filter, as we have. Then we ask; until the answer, stdin is a
socket to the gateway. An answer means that bubblewrap was not killed before: it dies with the thread that answers.
"""
GO = b"go\n"


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are that build the walls."""

    bwrap: str
    prlimit: str
    setpriv: str
    unshare: str
    shell: str


@dataclass(frozen=True, slots=True)
class Files:
    """Descriptors that are handed on: bubblewrap's arguments, the filter (-1: none) and its report."""

    arguments: int
    seccomp: int
    status: int


def outer(programs: Programs, spec: Spec, user: int | None, files: Files, rlimits: Sequence[str]) -> list[str]:
    """The whole command; `user` is who runs it where we are root. It must be started with an empty environment."""
    walls = [programs.bwrap, "--args", str(files.arguments), "--json-status-fd", str(files.status)]
    walls += ["--seccomp", str(files.seccomp)] if files.seccomp >= 0 else []
    walls += ["--", programs.shell, "-c", _BEGIN, "lar", programs.prlimit, *rlimits, "--", *spec.argv]
    if user is None:
        return walls
    who = ["--reuid", str(user), "--regid", str(user), "--clear-groups", "--inh-caps=-all"]
    _STAGE.mkdir(mode=0o711, exist_ok=True)
    enter = [programs.unshare, "--mount", "--propagation", "private", "--", programs.shell, "-c", _ENTER, "lar"]
    for number, folder in enumerate(_folders(spec)):
        (_STAGE / str(number)).mkdir(mode=0o711, exist_ok=True)
        enter += [str(folder), str(_STAGE / str(number))]
    return [*enter, "--", programs.setpriv, *who, *walls]


def is_ours(pid: int) -> bool:
    """Whether this is bubblewrap, started by any Lar."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return words[1:2] == [b"--args"] and _BEGIN.encode() in words


def _folders(spec: Spec) -> list[Path]:
    return [spec.work, *spec.readable]


def arguments(spec: Spec, user: int | None, data: Sequence[tuple[str, int]]) -> bytes:
    """What bubblewrap reads from its arguments' descriptor; `data` are names with descriptors of their text."""
    given = ["--unshare-all", "--unshare-user", "--uid", USER, "--gid", USER, "--cap-drop", "ALL"]
    given += ["--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"]
    for name, value in (_PLAIN | dict(spec.environment)).items():
        given += ["--setenv", name, value]
    given += ["--ro-bind", "/usr", "/usr"]
    for folder in (Path("/", name) for name in _FOLDERS):
        if folder.is_symlink():
            given += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            given += ["--ro-bind", str(folder), str(folder)]
    given += ["--proc", "/proc", "--dev", "/dev", "--size", str(_SHARED), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108  # inside
    given += ["--size", str(_TEMPORARY), "--tmpfs", "/tmp"]  # noqa: S108  # inside
    for name in _OF_ETC:
        given += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for name, descriptor in data:
        given += ["--ro-bind-data", str(descriptor), name]
    shown = _folders(spec) if user is None else [_STAGE / str(number) for number in range(len(_folders(spec)))]
    for real, inside in zip(shown[1:], spec.readable, strict=True):
        given += ["--ro-bind", str(real), str(inside)]
    given += ["--bind", str(shown[0]), "/work", "--chdir", "/work", "--remount-ro", "/"]
    return b"".join(os.fsencode(each) + b"\0" for each in given)


_PLAIN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/work", "LANG": "C.UTF-8", "TMPDIR": "/tmp"}  # noqa: S108  # inside
