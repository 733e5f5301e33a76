"""What a run gave, in words for a model: how it ended, what to do about it, and what it wrote."""

import re
from signal import SIGXFSZ, Signals

from lar.domain.bytesize import format_bytes
from lar.sandboxes.contract import Limits, Result

_NO_PROGRAM = 127
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[0-Z\\^-~])")
_CONTROL = {code: "\ufffd" for code in (*range(32), 127) if code not in b"\n\t"}
_NO_MODULE = re.compile(r"^(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'", re.MULTILINE)


def told(result: Result, limits: Limits, most: int) -> str:
    """The whole of it; each stream is cut in its middle to at most `most` characters."""
    parts = [_ending(result), *_explained(result, limits)]
    errors = readable(result.stderr)
    if module := _NO_MODULE.findall(errors):
        parts.append(
            f"{module[-1]} is not installed where commands run, and nothing can be installed there. Use what there is "
            "(python_environment_info lists it), or tell the person: libraries come from a virtual environment "
            "(tools.python_exec.venv_path) or from the image of docker."
        )
    for name, text in (("stdout", readable(result.stdout)), ("stderr", errors)):
        if text.strip():
            parts.append(f"{name}:\n{shortened(text, most)}")
    if not result.stdout and not result.stderr:
        parts.append("It wrote nothing.")
    return "\n".join(parts)


def _ending(result: Result) -> str:
    if result.signal is not None:
        names = {signal.value: signal.name for signal in Signals}
        how = f"ended by signal {names.get(result.signal, result.signal)}"
    else:
        how = f"exit code {result.exit_code}"
    return f"{how}, after {result.seconds:.1f} s"


def _explained(result: Result, limits: Limits) -> list[str]:
    """A sentence for each limit that was met: which, how much, and what to do."""
    said: list[str] = []
    if result.timed_out:
        said.append(
            f"It was ended because it took longer than {limits.seconds:g} s. Do less in one run, or in steps that keep "
            "what they have in files. The longest a run may take is the setting sandbox.seconds."
        )
    if result.truncated:
        said.append(
            f"It was ended because it wrote more than {format_bytes(limits.output)} of output, which is cut off there. "
            "Write to a file, and print less."
        )
    if result.out_of_memory:
        said.append(
            f"It was ended because it held more than {format_bytes(limits.memory)} of memory (sandbox.memory). Work "
            "through the data in smaller pieces."
        )
    if result.out_of_disk:
        said.append(
            f"It was ended because it added more than {format_bytes(limits.disk)} to its folder (sandbox.disk). Delete "
            "what is not needed, and write less."
        )
    if result.signal == SIGXFSZ:
        said.append(f"No file may be larger than {format_bytes(limits.file_size)} (sandbox.file_size).")
    if result.exit_code == _NO_PROGRAM:
        said.append("Exit code 127: there is no such program where commands run.")
    return said


def readable(data: bytes) -> str:
    """Output as text: without colours and cursor movements, what is no text as a replacement character."""
    text = data.decode(errors="replace").replace("\r\n", "\n")
    return _ESCAPES.sub("", text).translate(_CONTROL)


def shortened(text: str, most: int) -> str:
    """At most about so many characters: two thirds from the beginning, one from the end."""
    if len(text) <= most:
        return text.rstrip("\n")
    head, tail = most * 2 // 3, most // 3
    left_out = len(text) - head - tail
    return f"{text[:head]}\n[… {left_out} characters left out …]\n{text[len(text) - tail :]}".rstrip("\n")
