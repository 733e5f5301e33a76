"""faster-whisper on one recording. A program of its own, so that it can be stopped and gives its memory back.

Its arguments are the recording, the model, the folder models are kept in, and the language (empty: any). It writes
what is said, and imports nothing of Lar.
"""

import sys
from importlib import import_module
from typing import Any


def main() -> None:
    """Transcribe."""
    recording, model, folder, language = sys.argv[1:5]
    library: Any = import_module("faster_whisper")  # an extra
    whisper = library.WhisperModel(model, device="cpu", compute_type="int8", download_root=folder)
    segments, _ = whisper.transcribe(recording, language=language or None, vad_filter=True)
    sys.stdout.buffer.write(" ".join(str(segment.text).strip() for segment in segments).encode("utf-8"))


if __name__ == "__main__":
    main()
