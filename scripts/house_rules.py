"""The house rules that no linter knows, one function a rule: `make check` runs them all.

A rule takes one file, or all of them, and yields its offences. Exceptions are listed with their reasons in
`house_exceptions.toml`; one that nobody needs is an offence itself.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES = 600
FUNCTION_LINES = 80
CONSTRUCTOR_PARAMETERS = 8
README_WORDS = (400, 600)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One tracked text file; `path` is relative to the root, with slashes."""

    path: str
    text: str

    @property
    def is_test(self) -> bool:
        """True below `tests/`."""
        return self.path.startswith("tests/")

    @property
    def room(self) -> str:
        """The room below `src/lar`: the name of its folder or single module; empty elsewhere."""
        words = self.path.split("/")
        return words[2].removesuffix(".py") if words[:2] == ["src", "lar"] else ""

    @cached_property
    def nodes(self) -> list[tuple[str, ast.AST]]:
        """Every node of a Python file with the qualified name of the function or class it stands in."""
        found: list[tuple[str, ast.AST]] = []

        def visit(node: ast.AST, name: str) -> None:
            for child in ast.iter_child_nodes(node):
                found.append((name, child))
                named = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                visit(child, f"{name}.{child.name}".lstrip(".") if named else name)

        visit(ast.parse(self.text if self.path.endswith(".py") else ""), "")
        return found

    @cached_property
    def functions(self) -> list[tuple[str, Function]]:
        """Every function with its qualified name."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [(f"{name}.{node.name}".lstrip("."), node) for name, node in self.nodes if isinstance(node, kinds)]

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        """Every comment of a Python file with its line."""
        if not self.path.endswith(".py"):
            return []
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


@dataclass(frozen=True)
class Offence:
    """A broken rule; `place` is what an exception would name."""

    place: str
    line: int
    sentence: str


Rule = Callable[[Source], Iterator[Offence]]


def at(source: Source, name: str, node: ast.AST | int, sentence: str) -> Offence:
    """An offence in the function or class `name` of a file, or in the file itself."""
    line = node if isinstance(node, int) else getattr(node, "lineno", 1)
    return Offence(f"{source.path}::{name}" if name else source.path, line, sentence)


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or attribute; empty for anything else."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


def file_length(source: Source) -> Iterator[Offence]:
    """A file is read in one sitting."""
    lines = source.text.count("\n")
    if source.path.endswith((".py", ".md", "Makefile")) and lines > FILE_LINES:
        yield at(source, "", lines, f"{lines} lines; a file stops at {FILE_LINES}. Split it by what it is about")


def function_length(source: Source) -> Iterator[Offence]:
    """A function is seen on one screen."""
    for name, node in source.functions:
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES:
            yield at(source, name, node, f"{lines} lines; a function stops at {FUNCTION_LINES}")


def constructor_parameters(source: Source) -> Iterator[Offence]:
    """What needs more than eight things to exist is more than one thing."""
    for name, node in source.functions:
        given = node.args
        count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs) - 1
        if node.name == "__init__" and count > CONSTRUCTOR_PARAMETERS:
            yield at(source, name, node, f"{count} parameters; a constructor takes at most {CONSTRUCTOR_PARAMETERS}")


def own_import_in_function(source: Source) -> Iterator[Offence]:
    """Late imports of our own hide the order of the rooms; only a command and an adapter's door load what is used."""
    if source.room == "cli" or re.match(r"src/lar/(channels|providers|runtimes)/\w+/", source.path):
        return
    in_functions = {name for name, _ in source.functions}
    for name, node in source.nodes:
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if name in in_functions and any(module.split(".")[0] == "lar" for module in modules):
            yield at(source, name, node, "imports our own inside a function; move it to the top")


def broad_except(source: Source) -> Iterator[Offence]:
    """Only the loop that owns a turn, a job or a connection catches everything, and it records what it caught."""
    if source.is_test:
        return
    broad = {"Exception", "BaseException"}
    for name, node in source.nodes:
        caught: list[ast.expr] = []
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type
            caught = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds or ast.Name("BaseException")]
            passes_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            caught = [] if passes_on else caught
        if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] == "suppress":
            caught = node.args
        if broad & {dotted(kind) for kind in caught}:
            yield at(source, name, node, "catches everything; name the errors, or list the loop that owns this")


def module_name(source: Source) -> Iterator[Offence]:
    """A module is named after what it is about; these names are attics."""
    attics = {"util", "utils", "helper", "helpers", "core", "common", "manager", "managers", "infra", "misc", "shared"}
    words = source.path.removesuffix(".py").split("/")
    for word in attics.intersection(words if source.path.endswith(".py") else []):
        yield at(source, "", 1, f"`{word}` says nothing of what is inside; name it after its subject")


def sql_outside_store(source: Source) -> Iterator[Offence]:
    """All SQL is in the store; elsewhere a connection is only handed on."""
    drivers = {"sqlite3", "psycopg", "psycopg_pool", "alembic"}
    libraries = {*drivers, "sqlalchemy"}
    if source.room in {"", "store", "testing"}:
        return
    for name, node in source.nodes:
        if isinstance(node, ast.ImportFrom):
            top, names = (node.module or "").split(".")[0], {alias.name for alias in node.names}
            if top in drivers or (top == "sqlalchemy" and names - {"Connection"}):
                yield at(source, name, node, f"takes {', '.join(sorted(names))} from {top}; SQL lives in lar.store")
        if isinstance(node, ast.Import) and libraries & {alias.name.split(".")[0] for alias in node.names}:
            yield at(source, name, node, "imports a database library; SQL lives in lar.store")
        if isinstance(node, ast.Attribute) and node.attr in {"exec_driver_sql", "executemany", "executescript"}:
            yield at(source, name, node, f"calls {node.attr}; SQL lives in lar.store")


def environment(source: Source) -> Iterator[Offence]:
    """The environment is read once, by the configuration; a room is handed its settings."""
    if source.room in {"", "config", "testing"}:
        return
    for name, node in source.nodes:
        taken = isinstance(node, ast.ImportFrom) and node.module == "os" and "environ" in {a.name for a in node.names}
        if taken or (isinstance(node, ast.Attribute) and dotted(node) in {"os.environ", "os.getenv", "os.environb"}):
            yield at(source, name, node, "reads the environment; settings are handed in by lar.config")


def pure_modules(source: Source) -> Iterator[Offence]:
    """The vocabulary and the turn machine do nothing: no await, no clock, no chance, no disk, no network."""
    pure = source.room == "domain" or source.path == "src/lar/conversations/machine.py"
    worldly = {"asyncio", "time", "random", "secrets", "socket", "subprocess", "threading", "os", "structlog", "httpx"}
    for name, node in source.nodes if pure else []:
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in worldly.intersection(module.split(".")[0] for module in modules):
            yield at(source, name, node, f"imports {module}; this module is pure")
        if isinstance(node, (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)):
            yield at(source, name, node, "awaits; this module is pure")


def platform_names(source: Source) -> Iterator[Offence]:
    """Nobody in the heart asks which platform this is; capabilities are data."""
    platforms = {"telegram", "discord", "whatsapp", "terminal", "openai", "openai_responses", "anthropic", "gemini"}
    if source.room not in {"domain", "engine", "policy", "conversations", "store", "memory", "tools"}:
        return
    for name, node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in platforms:
            yield at(source, name, node, f"names {node.value!r}; ask for a capability instead")


def only_way(source: Source) -> Iterator[Offence]:
    """A reply leaves only from the outbox, a tool runs only past the gate: each has one caller."""
    callers = {"channel.send": "src/lar/conversations/deliverer.py", "tool.call": "src/lar/tools/execute.py"}
    if source.room in {"", "testing"}:
        return
    for name, node in source.nodes:
        called = ".".join(dotted(node.func).split(".")[-2:]).lstrip("_") if isinstance(node, ast.Call) else ""
        if called in callers and source.path != callers[called]:
            yield at(source, name, node, f"calls {called}; only {callers[called]} does")


def sleep(source: Source) -> Iterator[Offence]:
    """No test sleeps for luck. In a loop it looks again for a condition; `asyncio.sleep(0)` only lets others run."""
    loops = [node for _, node in source.nodes if isinstance(node, (ast.For, ast.While, ast.AsyncFor))]
    looked_again = {inner for loop in loops for inner in ast.walk(loop)}
    for name, node in source.nodes if source.is_test else []:
        if not isinstance(node, ast.Call) or dotted(node.func) not in {"asyncio.sleep", "time.sleep", "anyio.sleep"}:
            continue
        gives_way = [argument.value for argument in node.args if isinstance(argument, ast.Constant)] == [0]
        if not gives_way and node not in looked_again:
            yield at(source, name, node, "sleeps; look for the condition in a loop, or list why not")


def test_sentence(source: Source) -> Iterator[Offence]:
    """Every test says in one sentence what it protects."""
    for name, node in source.functions if source.is_test else []:
        if node.name.startswith("test_") and not ast.get_docstring(node):
            yield at(source, name, node, "has no sentence that says what it protects")


def waiver_reason(source: Source) -> Iterator[Offence]:
    """Whoever waives a rule names it and says why, on the same line."""
    for line, comment in source.comments:
        if re.search(r"type:\s*ignore", comment):
            yield at(source, "", line, "`type: ignore` hides more than it says; use `pyright: ignore[rule]  # reason`")
        waived = re.match(r"#\s*(noqa|pyright: (?:ignore|basic|standard)|ruff: noqa|pragma: no)", comment)
        reasoned = re.match(
            r"#\s*(noqa: [A-Z0-9, ]+|pyright: ignore\[[\w, ]+\]|ruff: noqa: [A-Z0-9, ]+|pragma: no \w+)  # \S", comment
        )
        if waived and not reasoned:
            yield at(source, "", line, f"`{comment}` lacks the rule or the reason: `# noqa: S101  # why`")


def machine_trace(source: Source) -> Iterator[Offence]:
    """Nothing tracked knows the machine it was written on, or where packages come from."""
    traces = (
        r"/(?:work|root|tmp/w)/",
        r"/opt/(?:pypi|wheels)",
        r"pypi\.org",
        r"python[h]osted",
        r"registry\.npmjs",
        r"proxy\.golang",
        r"/home/(?!lar\b|you\b|pi\b)\w+",
        r"/Users/\w+",
    )
    for number, line in enumerate(source.text.splitlines(), 1):
        if found := re.search("|".join(traces), line):
            yield at(source, "", number, f"contains {found.group()!r}")


def secret(source: Source) -> Iterator[Offence]:
    """Nothing tracked looks like a real key, so that one that is never hides among examples."""
    shapes = (
        r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_]{24,}",
        r"\b\d{8,10}:[A-Za-z0-9_-]{35}\b",
        r"\bgh[pousr]_[A-Za-z0-9]{30,}",
        r"\bAKIA[0-9A-Z]{16}\b",
        r"\bAIza[\w-]{35}\b",
        r"\bgsk_[A-Za-z0-9]{40,}",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    )
    for number, line in enumerate(source.text.splitlines(), 1):
        if re.search("|".join(shapes), line):
            yield at(source, "", number, "contains what looks like a key; shorten it until it cannot be one")


def readme_length(source: Source) -> Iterator[Offence]:
    """The door is a door, not a manual."""
    words = len(source.text.split())
    low, high = README_WORDS
    if source.path == "README.md" and not low <= words <= high:
        yield at(source, "", 1, f"{words} words; the README has {low} to {high}")


def unique_test_names(sources: Sequence[Source]) -> Iterator[Offence]:
    """A test file is found by its name alone."""
    tests = [source for source in sources if source.is_test and source.path.split("/")[-1].startswith("test_")]
    counts = Counter(source.path.split("/")[-1] for source in tests)
    for source in tests:
        if counts[source.path.split("/")[-1]] > 1:
            yield at(source, "", 1, "shares its name with another test file; name it after what it protects")


RULES: tuple[Rule, ...] = (
    file_length,
    function_length,
    constructor_parameters,
    own_import_in_function,
    broad_except,
    module_name,
    sql_outside_store,
    environment,
    pure_modules,
    platform_names,
    only_way,
    sleep,
    test_sentence,
    waiver_reason,
    machine_trace,
    secret,
    readme_length,
)

Exceptions = Mapping[str, Mapping[str, str]]


def judge(sources: Sequence[Source], exceptions: Exceptions) -> list[str]:
    """Every offence that no exception covers, and every exception that covers none, as lines for people."""
    found = [(rule.__name__, offence) for source in sources for rule in RULES for offence in rule(source)]
    found += [("unique_test_names", offence) for offence in unique_test_names(sources)]
    listed = {(rule, place) for rule, places in exceptions.items() for place in places}
    needed = {(rule, offence.place) for rule, offence in found}
    lines = [
        f"{offence.place.partition('::')[0]}:{offence.line}: {rule}: {offence.sentence} [{offence.place}]"
        for rule, offence in found
        if (rule, offence.place) not in listed
    ]
    lines += [f"scripts/house_exceptions.toml: {rule}: nobody needs {place}" for rule, place in sorted(listed - needed)]
    lines += [
        f"scripts/house_exceptions.toml: {rule}: {place} has no reason"
        for rule, place in sorted(listed)
        if not exceptions[rule][place].strip()
    ]
    return lines


def tracked(root: Path) -> list[Source]:
    """Every text file that git tracks, or that is new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S603  # ours
    sources: list[Source] = []
    for path in sorted(set(listing.splitlines())):
        if path.endswith((".lock", ".ico", ".png")) or not (root / path).is_file():
            continue
        try:
            sources.append(Source(path, (root / path).read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return sources


def main() -> None:
    """Judge the checkout."""
    exceptions = tomllib.loads((ROOT / "scripts" / "house_exceptions.toml").read_text(encoding="utf-8"))
    sources = tracked(ROOT)
    lines = judge(sources, exceptions)
    print("\n".join(lines) if lines else f"house rules: {len(RULES) + 1} rules hold in {len(sources)} files")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
