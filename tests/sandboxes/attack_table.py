"""Which sandbox withstands what: the columns of the table, their attacks in a process of their own, and the table.

`python tests/sandboxes/attack_table.py` prints the table of the last runs.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lar.testing.sandbox_attacks import ATTACKS

ROOT = Path(__file__).resolve().parents[2]
SEEN = ROOT / ".cache" / "attacks"
ORDINARY = 65533
COLUMNS: dict[str, tuple[str, ...]] = {
    "bubblewrap, root": ("bubblewrap",),
    "bubblewrap, user": ("bubblewrap", "--user", str(ORDINARY)),
    "docker": ("docker",),
    "cgroup": ("cgroup",),
    "rlimit": ("rlimit",),
    "basic": ("basic",),
    "jail": ("jail",),
    "none": ("none",),
}
"""How `lar.testing.sandbox_attacks` is called; all as root, who then becomes the ordinary user where one is named."""

_SHOWN = {"held": "holds", "not claimed": "-", "broken": "**broken**"}

Verdict = dict[str, str]


def attacked(*words: str) -> list[Verdict]:
    """Carry out the attacks in a process of its own, with a terminal and a secret in its environment."""
    docker = {"image": "lar-sandbox:test", "host": os.environ.get("LAR_TEST_DOCKER", "")}
    jail = {"command_prefix": ["/usr/bin/env"], "artifacts_allow_in_jail": True}
    environment = {name: text for name, text in os.environ.items() if not ("--user" in words and "COVERAGE" in name)}
    environment |= {
        "LAR_TEST_SANDBOX": json.dumps({"docker": docker, "jail": jail}),
        "LAR_TEST_DECOY": secrets.token_hex(16),
    }
    command = [sys.executable, "-m", "lar.testing.sandbox_attacks", *words]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    if not ran.stdout:
        raise AssertionError(ran.stderr)
    return json.loads(ran.stdout)


def remember(column: str, verdicts: list[Verdict]) -> dict[str, str]:
    """Keep what was seen for the table; each attack's cell."""
    cells = {verdict["attack"]: _SHOWN[verdict["mark"]] for verdict in verdicts}
    SEEN.mkdir(parents=True, exist_ok=True)
    (SEEN / f"{column}.json").write_text(json.dumps(cells), encoding="utf-8")
    return cells


def table(columns: Mapping[str, Mapping[str, str]]) -> str:
    """Attack by sandbox, in Markdown."""
    lines = [["attack", *columns], ["---", *("---" for _ in columns)]]
    lines += [[attack.name, *(cells[attack.name] for cells in columns.values())] for attack in ATTACKS]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def read(page: str) -> dict[str, dict[str, str]]:
    """The columns of the table on a page."""
    text = page[page.index("| attack |") :].partition("\n\n")[0]
    lines = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines()]
    head, _, *rows = lines
    return {name: {row[0]: row[at] for row in rows} for at, name in enumerate(head) if at}


if __name__ == "__main__":
    seen = {name: SEEN / f"{name}.json" for name in COLUMNS}
    print(table({name: json.loads(file.read_text()) for name, file in seen.items() if file.exists()}))  # noqa: T201  # a program
