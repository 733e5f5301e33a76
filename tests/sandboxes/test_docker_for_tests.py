import os
import subprocess
from pathlib import Path

from attack_table import ROOT


def test_an_engine_that_does_not_start(tmp_path: Path) -> None:
    """R-SB-5: where docker's engine may not start, its script says so at once, with its last words, and cleans up."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {"dockerd": "echo 'operation not permitted'; exit 1", "docker": "exit 1"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    command = [str(ROOT / "scripts" / "docker_for_tests.sh"), str(tmp_path / "engine"), "start"]
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=25, check=False)  # noqa: S603  # ours
    assert (ran.returncode, ran.stderr) == (1, "operation not permitted\n")
    assert not (tmp_path / "engine").exists()
