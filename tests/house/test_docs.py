"""Documentation under test: what it names exists, and what it tells people to type works."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from lar.config import Settings, load
from lar.config.shape import keys
from lar.conversations.strings import CATALOGUES
from lar.providers.settings import FALLBACKS, USUAL

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
COMING_FROM = sorted(ROOT.glob("docs/from-*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
KEYS = {usual.variable for usual in USUAL.values()}
OTHER_VARIABLES = {"LAR_HOME", "TELEGRAM_BOT_TOKEN", *KEYS, *(key + more for key in KEYS for more in FALLBACKS)}
PATHS_OF_HOME = {
    "~/.lar",
    "files/admin/error_reports/",
    ".env",
    "logs/lar.log",
    "workspace/people/",
    "workspace/shared/",
}


def name(path: Path) -> str:
    """A page as the test report names it."""
    return str(path.relative_to(ROOT))


def code(text: str) -> list[str]:
    """All code of a page: spans, and the lines of fenced blocks."""
    blocks = [line for _, block in FENCE.findall(text) for line in block.splitlines()]
    return [*re.findall(r"`([^`\n]+)`", FENCE.sub("", text)), *blocks]


@cache
def config_keys() -> set[str]:
    """Every key of the configuration and every table above one."""
    paths = [key.path.split(".") for key in keys(Settings)]
    return {".".join(path[:end]) for path in paths for end in range(1, len(path) + 1)}


@cache
def tool_names() -> set[str]:
    """Every tool a model may be offered: the functions that `@tool` decorates."""
    found: set[str] = set()
    for path in (ROOT / "src" / "lar").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AsyncFunctionDef):
                names = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
                found |= (
                    {node.name} if any(isinstance(each, ast.Name) and each.id == "tool" for each in names) else set()
                )
    return found


@cache
def is_lar_command(words: str) -> bool:
    """True when `lar WORDS --help` answers: the command exists."""
    command = [sys.executable, "-m", "lar", *words.split(), "--help"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # the words are ours
    return answer.returncode == 0 and "usage:" in answer.stdout.lower()


def is_chat_command(word: str) -> bool:
    """True for a command the inbox answers."""
    return f"command_{word.removeprefix('/')}" in CATALOGUES["en"]


def lar_words(text: str) -> str:
    """`turn show` of `.venv/bin/lar turn show 1`: the words of a command, without arguments and options."""
    words = text.partition("lar")[2].split("#")[0].split()
    kept: list[str] = []
    for word in words:
        if not re.fullmatch(r"[a-z]+", word):
            break
        kept.append(word)
    return " ".join(kept)


def exists(token: str) -> bool:
    """True when this counterpart is something Lar has: a command, a key, a variable, a tool, a path, a request."""
    if token.startswith("make "):
        return re.search(rf"^{token.removeprefix('make ')}:", (ROOT / "Makefile").read_text(), re.MULTILINE) is not None
    if token.startswith("lar "):
        return is_lar_command(lar_words(token))
    if token.startswith("GET "):
        return any(f'"{token[4:]}"' in path.read_text() for path in (ROOT / "src" / "lar" / "web").rglob("*.py"))
    if token.startswith("/"):
        return is_chat_command(token)
    return token in {*config_keys(), *OTHER_VARIABLES, *PATHS_OF_HOME, *tool_names()}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """No link inside the documentation is broken."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    broken = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_verbs_exist(page: Path) -> None:
    """Nobody is told to `make` what the Makefile does not know."""
    verbs = {match for each in code(page.read_text()) for match in re.findall(r"^\s*make [a-z-]+", each)}
    assert [verb for verb in verbs if not exists(verb.strip())] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_lar_commands_exist(page: Path) -> None:
    """Nobody is told to run a command that `lar` does not have."""
    found = {lar_words(each) for each in code(page.read_text()) if re.match(r"(\.venv/bin/)?lar [a-z]", each)}
    assert [words for words in sorted(found) if not is_lar_command(words)] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_environment_names_are_keys(page: Path) -> None:
    """Every `LAR__SECTION__KEY` shown anywhere sets a key that exists."""
    shown = set(re.findall(r"\bLAR__[A-Z_]+[A-Z]", page.read_text())) - {"LAR__SECTION__KEY"}
    patterns = {re.sub(r"<\w+>", r"[A-Z]+", key.upper().replace(".", "__")) for key in config_keys()}
    unknown = [each for each in shown if not any(re.fullmatch(f"LAR__{pattern}", each) for pattern in patterns)]
    assert unknown == []


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs/quickstart.md"], ids=name)
def test_configuration_shown_is_accepted(page: Path, tmp_path: Path) -> None:
    """Copying the configuration of the first pages gives no error and no warning."""
    blocks = FENCE.findall(page.read_text(encoding="utf-8"))
    variables = dict(re.findall(r"^([A-Z_]+)=(\S+)", "\n".join(block for _, block in blocks), re.MULTILINE))
    for text in [block for language, block in blocks if language == "toml"] or [""]:
        (tmp_path / "lar.toml").write_text(text, encoding="utf-8")
        assert tomllib.loads(text) or not text
        assert load(None, variables, home=tmp_path).warnings == ()


def test_every_decision_is_in_the_index() -> None:
    """A decision that is not listed is not found."""
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    pages = [page.name for page in ROOT.glob("docs/adr/[0-9]*.md")]
    assert [page for page in pages if f"({page})" not in index] == []


@pytest.mark.parametrize("page", COMING_FROM, ids=name)
def test_counterparts_exist(page: Path) -> None:
    """What somebody coming from another assistant is promised by name is there, under that name."""
    rows = [row for row in page.read_text(encoding="utf-8").splitlines() if re.match(r"\| (?!there|-)", row)]
    assert rows
    for row in rows:
        there, here = re.fullmatch(r"\| (.+?) \| (.+) \|", row).groups()  # pyright: ignore[reportOptionalMemberAccess]  # a row that does not match is the failure
        assert there
        now = here.partition("later: ")[0]
        missing = [token for token in re.findall(r"`([^`]+)`", now) if not exists(token)]
        assert missing == [], row


@pytest.mark.parametrize("page", [page for page in PAGES if page not in COMING_FROM], ids=name)
def test_chat_commands_exist(page: Path) -> None:
    """A chat command that a page shows is one that the inbox answers."""
    shown = {each for each in code(page.read_text(encoding="utf-8")) if re.fullmatch(r"/[a-z]+", each)}
    assert [each for each in shown if not is_chat_command(each)] == []


def test_first_conversation_is_as_shown(home: Path) -> None:
    """The taste in the README is what a newcomer gets, word for word, with no key and no token."""
    [block] = [block for _, block in FENCE.findall((ROOT / "README.md").read_text()) if block.startswith("> ")]
    exchanges = [exchange.partition("\n") for exchange in re.split(r"^> ", block, flags=re.MULTILINE)[1:]]
    assert len(exchanges) == 3
    for question, _, answer in exchanges:
        command = [sys.executable, "-m", "lar", "chat", "--home", str(home), "-m", question]
        given = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # the words are ours
        assert given.stdout.strip() == answer.strip()
