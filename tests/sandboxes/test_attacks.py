"""Every attack on every sandbox; a claimed promise that does not hold fails, and so does a page that says otherwise."""

import os
from pathlib import Path

import pytest
from attack_table import COLUMNS, ROOT, attacked, read, remember, table

from ground import Require
from lar.sandboxes.cgroups import Cgroups
from lar.testing.sandbox_attacks import ATTACKS

PAGE = ROOT / "docs" / "sandboxes-proof.md"
OF_THE_MACHINE = {
    "fork bomb",
    "thread bomb",
    "all processors",
    *(each.name for each in ATTACKS if "memory" in each.name),
}
"""Whether these are withstood depends on the control groups of a machine."""
AT_ONCE = ("bubblewrap, root", "jail", "none")


@pytest.mark.parametrize(
    "column", [pytest.param(name, marks=() if name in AT_ONCE else pytest.mark.sandboxes) for name in COLUMNS]
)
def test_every_claimed_promise_holds(column: str, require: Require, request: pytest.FixtureRequest) -> None:
    """R-SB-5: whatever a sandbox claims on this machine withstands its attacks; the page's column says the same."""
    require("root", f"make test-sandboxes as root, for the column {column}", found=os.geteuid() == 0)
    if column.startswith("bubblewrap"):
        request.getfixturevalue("bubblewrap")
    if column == "cgroup":
        require("a control group to make others in", "make test-sandboxes as root", found=bool(Cgroups().controllers))
    if column == "docker":
        request.getfixturevalue("docker_host")
    verdicts = attacked(*COLUMNS[column])
    assert not (broken := [f"{each['attack']}: {each['detail']}" for each in verdicts if each["mark"] == "broken"]), (
        broken
    )
    seen, told = remember(column, verdicts), read(PAGE.read_text(encoding="utf-8"))[column]
    assert list(seen) == list(told), "docs/sandboxes-proof.md lists other attacks than there are"
    assert {name: cell for name, cell in seen.items() if cell != told[name] and name not in OF_THE_MACHINE} == {}


@pytest.mark.sandboxes
def test_attacks_succeed_without_walls(require: Require) -> None:
    """R-SB-5: a sandbox that claims everything and does nothing is caught by every attack that may be tried on it."""
    require("root", "make test-sandboxes as root", found=os.geteuid() == 0)
    assert [verdict["attack"] for verdict in attacked("braggart") if verdict["mark"] != "broken"] == []


def test_some_attacks_succeed_at_once(require: Require) -> None:
    """R-SB-5: the fast tests, too, would see it if attacks attacked nothing."""
    require("root", "make test as root", found=os.geteuid() == 0)
    assert {verdict["mark"] for verdict in attacked("braggart", "--only", "the gateway's")} == {"broken"}


def test_the_table_reads_as_it_is_written() -> None:
    """R-SB-5: the page's table is the suite's: what is compared with it was read from it."""
    columns = {name: {attack.name: "holds" for attack in ATTACKS} for name in COLUMNS}
    assert read(table(columns)) == columns


def test_the_page_counts_right() -> None:
    """R-SB-5: the page says of how many attacks it is known that they can succeed."""
    tame = sum(attack.tame for attack in ATTACKS)
    assert f"{tame} of these {len(ATTACKS)}, are also carried out" in PAGE.read_text(encoding="utf-8")


def test_a_first_run_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SB-5: what was seen is kept for the table, attack by attack."""
    monkeypatch.setattr("attack_table.SEEN", tmp_path / "attacks")
    cells = remember(
        "docker", [{"attack": "fork bomb", "mark": "held"}, {"attack": "raw sockets", "mark": "not claimed"}]
    )
    assert cells == {"fork bomb": "holds", "raw sockets": "-"}
    assert (tmp_path / "attacks" / "docker.json").exists()
