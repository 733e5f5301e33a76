import asyncio
import re
import subprocess
from pathlib import Path

import pytest
from attack_table import ROOT

RECIPE = ROOT / "docker" / "sandbox" / "Dockerfile"


def test_what_the_image_holds() -> None:
    """R-SB-1: the recipe has Python, the usual libraries, git and ffmpeg, gives no rights, and ends as nobody."""
    text = RECIPE.read_text(encoding="utf-8")
    packages = set(re.findall(r"[\w.+-]+", text.partition("--no-install-recommends")[2].partition("&&")[0]))
    assert packages >= {"git", "ffmpeg", "python3"}
    assert packages >= {f"python3-{name}" for name in ("numpy", "pandas", "matplotlib", "pil", "openpyxl")}
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "65534:65534"
    assert "-perm /6000" in text


def test_no_registry_is_named() -> None:
    """R-SB-1: where images and packages come from is the operator's: the recipe names no server."""
    text = RECIPE.read_text(encoding="utf-8")
    assert not re.search(r"https?://|[\w-]+\.(io|com|org|net)\b", text)


async def test_the_recipe_builds(docker_host: str, tmp_path: Path) -> None:
    """R-SB-1: docker builds the recipe on another base; installing is left out, which needs a mirror of packages."""
    installing = re.compile(r"^RUN .*?[^\\]\n", re.MULTILINE | re.DOTALL)
    (tmp_path / "Dockerfile").write_text(installing.sub("RUN id -u\n", RECIPE.read_text(encoding="utf-8")))
    words = (
        "build",
        "--quiet",
        "--network",
        "none",
        "--build-arg",
        "BASE=lar-sandbox:test",
        "-t",
        "lar-sandbox:recipe",
    )
    await _docker(docker_host, *words, str(tmp_path))
    user = await _docker(docker_host, "run", "--rm", "--network", "none", "lar-sandbox:recipe", "id", "-u")
    assert user.strip() == "65534"


async def _docker(host: str, *words: str) -> str:
    command = ["docker", "--host", host, *words]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "DOCKER_BUILDKIT": "0"}
    ran = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.fail(f"{ran.stdout}\n{ran.stderr}")
    return ran.stdout
