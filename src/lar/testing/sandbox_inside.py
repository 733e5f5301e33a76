"""How an attacker reaches for what is not its own: a program that runs inside, with Python's standard library alone.

`python3 -c SOURCE NAME ARGUMENTS`: carries out one attack. Each line it writes to stdout says something it reached that
it should not have; some attacks are judged from outside instead.
"""

import ctypes
import errno
import glob
import hashlib
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable
from typing import Any

Arguments = dict[str, Any]
_SEIZE = 0x4206
_VSOCK = 40
_STAYED_INSIDE = {
    *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT),
    *(errno.ENODEV, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, errno.ENOSYS),
}


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def reads(path: str) -> bool:
    """Whether something comes out of this file or folder."""
    try:
        if os.path.isdir(path):
            return bool(os.listdir(path))
        with open(path, "rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def other_files(given: Arguments) -> None:
    """Somebody else's file, by every way to its name."""
    path = given["secret"].lstrip("/")
    ways = ["/", "../" * 20, "/oldroot/", "/newroot/"]
    ways += [f"/proc/{pid}/{link}/" for pid in (*os.listdir("/proc"), "1") for link in ("root", "cwd/..")]
    for way in ways:
        if reads(way + path):
            say(f"read {way}{path}")
    for way in ways:
        try:
            with open(f"{way}{os.path.dirname(path)}/planted", "w", encoding="utf-8") as file:
                file.write("planted")
            say(f"wrote below {way}")
        except OSError:
            pass


def system_files(given: Arguments) -> None:
    """What belongs to the machine's owner."""
    for path in (
        "/etc/shadow",
        "/root",
        "/proc/kcore",
        given["home"],
    ):
        if reads(path):
            say(f"read {path}")


def writes(given: Arguments) -> None:
    """Files anywhere but in the work folder; what only this run ever sees is judged from outside."""
    for folder in ("/", "/etc", "/usr", "/usr/bin", "/usr/lib", "/var/tmp", "/run", "/tmp", "/dev/shm", "/dev", "/opt"):
        try:
            with open(os.path.join(folder, given["file"]), "w", encoding="utf-8") as file:
                file.write("x")
        except OSError:
            continue
        if folder.startswith(("/usr", "/etc")):
            say(f"wrote to {folder}")


def kernel_switches(_: Arguments) -> None:
    """Settings of the kernel and of control groups."""
    for path in (
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/hostname",
        "/proc/sys/vm/drop_caches",
    ):
        try:
            os.close(os.open(path, os.O_WRONLY))
            say(f"opened {path}")
        except OSError:
            pass
    for path in glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True):
        if os.access(path, os.W_OK):
            say(f"may write {path}")
    for path in ("/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/fuse", "/dev/kvm", "/dev/loop-control"):
        try:
            os.close(os.open(path, os.O_RDONLY))
            say(f"opened {path}")
        except OSError:
            pass


def descriptors(_: Arguments) -> None:
    """Files somebody outside left open."""
    for number in range(3, 1024):
        try:
            say(f"has {os.readlink(f'/proc/self/fd/{number}')} open")
        except OSError:
            continue


def environment(given: Arguments) -> None:
    """The gateway's environment, its own or anybody's it can find."""
    for path in ("/proc/self/environ", *glob.glob("/proc/[0-9]*/environ"), *glob.glob("/proc/[0-9]*/task/*/environ")):
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            continue
        for line in content.split(b"\0"):
            name, _, value = line.partition(b"=")
            if hashlib.sha256(value).hexdigest() == given["decoy"]:
                say(f"found {name.decode()} in {path}")


def gateway_memory(given: Arguments) -> None:
    """The memory of the gateway; its place is even told."""
    for pid in {*glob.glob("/proc/[0-9]*"), f"/proc/{given['pid']}"}:
        try:
            with open(f"{pid}/mem", "rb", buffering=0) as file:
                file.seek(given["address"])
                content = file.read(given["length"])
        except (OSError, ValueError, OverflowError):
            continue
        if hashlib.sha256(content).hexdigest() == given["sha256"]:
            say(f"read it through {pid}/mem")
    buffer = ctypes.create_string_buffer(given["length"])
    local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), given["length"])
    remote = (ctypes.c_size_t * 2)(given["address"], given["length"])
    libc().process_vm_readv(given["pid"], local, 1, remote, 1, 0)
    if hashlib.sha256(buffer.raw).hexdigest() == given["sha256"]:
        say("read it through process_vm_readv")
    if libc().ptrace(_SEIZE, given["pid"], None, None) == 0:
        say("may trace it")


def gateway_process(given: Arguments) -> None:
    """Signals to the gateway, and a look at it."""
    for pid in (given["pid"], given["parent"]):
        try:
            os.kill(pid, 0)
            say(f"may signal {pid}")
        except OSError:
            pass
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if b"lar.testing.sandbox_attacks\0" in file.read():
                    say(f"sees {path}")
        except OSError:
            continue


def tries(family: int, kind: int, address: Any, *, refused_is_out: bool) -> None:
    """Connect; what is refused by somebody outside was outside, too."""
    try:
        with socket.socket(family, kind) as client:
            client.settimeout(2)
            client.connect(address)
            if kind == socket.SOCK_DGRAM:
                client.send(b"?")
                client.recv(10)
        say(f"reached {address}")
    except OSError as error:
        if refused_is_out and error.errno not in _STAYED_INSIDE:
            say(f"may leave towards {address}: {error}")


def loopback(given: Arguments) -> None:
    """Services of this machine."""
    hosts = ["127.0.0.1", "0.0.0.0", *given["addresses"]]  # noqa: S104  # somebody else's
    for host in hosts:
        tries(socket.AF_INET, socket.SOCK_STREAM, (host, given["tcp"]), refused_is_out=False)
        tries(socket.AF_INET, socket.SOCK_DGRAM, (host, given["udp"]), refused_is_out=False)
    tries(socket.AF_INET6, socket.SOCK_STREAM, ("::1", given["tcp"]), refused_is_out=False)


def unix_path(given: Arguments) -> None:
    """A Unix socket with a path, and the usual one."""
    for path in (given["path"], "/proc/1/root{path}".format(**given), "/run/dbus/system_bus_socket"):
        tries(socket.AF_UNIX, socket.SOCK_STREAM, path, refused_is_out=False)


def docker_socket(given: Arguments) -> None:
    """Docker's engine: whoever speaks to it is root."""
    for path in (given["engine"], "/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock"):
        tries(socket.AF_UNIX, socket.SOCK_STREAM, path, refused_is_out=False)


def unix_abstract(given: Arguments) -> None:
    """A Unix socket with an abstract name."""
    tries(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + given["abstract"], refused_is_out=False)


def internet(_: Arguments) -> None:
    """Machines that are far away, or in the house."""
    for host, port in (("1.1.1.1", 53), ("192.168.0.1", 80), ("10.0.0.1", 80)):
        tries(socket.AF_INET, socket.SOCK_STREAM, (host, port), refused_is_out=True)
        tries(socket.AF_INET, socket.SOCK_DGRAM, (host, port), refused_is_out=True)


def metadata(_: Arguments) -> None:
    """What tells secrets to every process of a machine in a cloud."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        tries(socket.AF_INET, kind, ("169.254.169.254", 80), refused_is_out=True)
        tries(socket.AF_INET6, kind, ("fd00:ec2::254", 80), refused_is_out=True)


def hypervisor(_: Arguments) -> None:
    """Sockets to the host of a virtual machine: no network namespace holds them."""
    try:
        with socket.socket(_VSOCK, socket.SOCK_STREAM) as client:
            client.settimeout(2)
            client.connect((2, 1024))
        say("has a socket to the hypervisor")
    except OSError as error:
        if error.errno not in _STAYED_INSIDE:
            say(f"asked the hypervisor: {error}")


def raw_sockets(_: Arguments) -> None:
    """Sockets below the protocols: cryptography of the kernel, packets, and a family nobody uses."""
    for family in (38, 17, 48):
        try:
            with socket.socket(family, socket.SOCK_RAW):
                say(f"has a socket of family {family}")
        except OSError:
            continue


def setuid(given: Arguments) -> None:
    """Programs that give their caller the rights of whoever owns them, made in every way and place there is."""
    program = b"#!/bin/sh\nid\n"
    places: list[str] = given["places"]
    for folder in places:
        try:
            _by_chmod(f"{folder}/{given['file']}", program, 0o6755)
        except OSError:
            continue
    bits = (0o4755, 0o2755, 0o6755)
    for mode in bits:
        for way, make in _WAYS.items():
            name = f"{way}{mode:o}"
            try:
                make(name, program, mode)
            except (OSError, AttributeError):
                continue
    try:
        with open("capable", "wb") as file:
            file.write(program)
        os.setxattr("capable", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    except OSError:
        pass


def _plain(name: str, program: bytes) -> None:
    with open(name, "wb") as file:
        file.write(program)


def _by_chmod(name: str, program: bytes, mode: int) -> None:
    _plain(name, program)
    os.chmod(name, mode)


def _by_fchmod(name: str, program: bytes, mode: int) -> None:
    _plain(name, program)
    with open(name, "rb") as file:
        os.fchmod(file.fileno(), mode)


def _by_open(name: str, program: bytes, mode: int) -> None:
    os.umask(0)
    descriptor = os.open(name, os.O_CREAT | os.O_WRONLY, mode)
    os.write(descriptor, program)
    os.fchmod(descriptor, mode)
    os.close(descriptor)


def _by_mknod(name: str, _program: bytes, mode: int) -> None:
    os.umask(0)
    os.mknod(name, stat.S_IFREG | mode)


def _by_fchmodat2(name: str, program: bytes, mode: int) -> None:
    _plain(name, program)
    libc().syscall(452, -100, name.encode(), mode, 0)


def _by_temporary(name: str, program: bytes, mode: int) -> None:
    os.umask(0)
    descriptor = os.open(".", os.O_TMPFILE | os.O_WRONLY, mode)
    os.write(descriptor, program)
    os.link(f"/proc/self/fd/{descriptor}", name, follow_symlinks=True)


_WAYS: dict[str, Callable[[str, bytes, int], None]] = {
    "chmod": _by_chmod,
    "fchmod": _by_fchmod,
    "open": _by_open,
    "mknod": _by_mknod,
    "fchmodat2": _by_fchmodat2,
    "temporary": _by_temporary,
}


def links(given: Arguments) -> None:
    """Things that lead out of the work folder for whoever opens them later."""
    for number, target in enumerate(("/etc/shadow", "/proc/self/environ", given["secret"], "/", "..", "/dev/zero")):
        os.symlink(target, f"link{number}")
    os.mkdir("folder")
    os.symlink("/etc", "folder/etc")
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    for make in (
        lambda: os.link(given["secret"], "hard"),
        lambda: os.mknod("device", stat.S_IFCHR | 0o666, os.makedev(1, 1)),
    ):
        try:
            make()
        except OSError:
            continue


def names(_given: Arguments) -> None:
    """Names that break whoever lists, prints or copies them."""
    hostile = [
        b"\xff\xfe\x80",
        b"two\nlines",
        b"\x1b[2J",
        b"-rf",
        b"$(id)",
        b"a" * 255,
        b" ",
        b"\xe2\x80\xaetxt.exe",
        b"\\..\\x",
    ]
    for name in hostile:
        with open(name, "wb") as file:
            file.write(b"x")
    for _ in range(40):
        os.mkdir("deep" * 50)
        os.chdir("deep" * 50)
    with open("bottom", "wb") as file:
        file.write(b"x")


def terminal(_: Arguments) -> None:
    """Type into the terminal of whoever started this."""
    descriptors = [0, 1, 2]
    for path in ("/dev/tty", "/dev/console", *glob.glob("/dev/pts/[0-9]*")):
        try:
            descriptors.append(os.open(path, os.O_RDWR | os.O_NOCTTY))
        except OSError:
            continue
    for descriptor in descriptors:
        for request in (0x5412, 0x5412 | 1 << 32):
            if libc().ioctl(descriptor, ctypes.c_ulong(request), ctypes.c_char_p(b"x")) == 0:
                say(f"typed through {descriptor}")


def _ends(_argument: object) -> int:
    return 0


def nested(_given: Arguments) -> None:
    """Namespaces and mounts of its own, and programs of the machine that have somebody else's rights."""
    for flag, name in ((0x10000000, "user"), (0x20000, "mount"), (0x40000000, "network"), (0x20000000, "process")):
        pid = os.fork()
        if pid == 0:
            if libc().unshare(flag) == 0:
                say(f"has a {name} namespace of its own")
            os._exit(0)
        os.waitpid(pid, 0)
        stack = ctypes.create_string_buffer(65536)
        entry = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(_ends)
        top = ctypes.c_void_p(ctypes.addressof(stack) + 65536)
        if libc().clone(entry, top, flag | signal.SIGCHLD, None) > 0:
            say(f"has a child in a {name} namespace of its own")
    pid = os.fork()
    if pid == 0:
        libc().unshare(0x20000)  # where that works, what is mounted is nobody else's
        libc().mount(None, b"/", None, 0x44000, None)
        if libc().mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) == 0:
            say("mounted something")
        os._exit(0)
    os.waitpid(pid, 0)
    with open("/proc/self/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file.read().splitlines())
    if int(status["CapEff"], 16) or int(status["CapBnd"], 16):
        say("has capabilities")
    if status["NoNewPrivs"].strip() != "1":
        say("may gain the rights of setuid programs")


def libc() -> Any:
    """The C library."""
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](json.loads(sys.argv[2]))
