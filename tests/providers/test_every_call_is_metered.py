"""Which code can reach a model at all: whoever finds another way finds this test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import lar

SOURCE = Path(lar.__file__).parent

REACHES = {
    "model_request": {"providers/plain.py"},
    "model_request_stream": {"runtimes/loop/asking.py"},
    "model_request_sync": set[str](),
    "request_stream": set[str](),
    "Agent": set[str](),
    "Embedder": set[str](),
}
"""What asks a model, of pydantic-ai, and who may: questions, which `Failover` asks on somebody's account."""

QUESTIONS = {"providers/failover.py"}
MAKES = {"providers/failover.py", "runtimes/loop/runtime.py"}
"""Who may take a model into its hands: the one who asks it, and the one who warms it up."""

KEYS = {
    "providers/keyed.py",
    "media/transcription.py",
    "media/speech.py",
    "config/load.py",
    "operations/doctor.py",
    "providers/settings.py",
}
"""Who may read keys of providers: their factories, what hears and speaks, and those who only count them."""

TILL = {"media/transcription.py": "_post", "media/speech.py": "_post"}
"""What reaches a provider on its own is called by one function alone, which pays for it."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every module outside of the simulators, by its path."""
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if not name.startswith("testing/"):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module, package: str) -> set[str]:
    """What a module imports from a package."""
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == package
        for alias in node.names
    }


def reads(tree: ast.Module, *names: str) -> list[str]:
    """The objects of which a module reads attributes of these names."""
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in names)
    return [ast.unparse(node.value) for node in found]


def test_models_are_asked_in_one_place() -> None:
    """R-LM-5: what can ask a model is imported by questions alone, and nobody but `Failover` asks questions."""
    for name, tree in sources():
        known = imported(tree, "pydantic_ai")
        assert not {each for each in known & REACHES.keys() if name not in REACHES[each]}, name
        asked = [each for each in reads(tree, "ask") if each == "question"]
        assert not asked or name in QUESTIONS, name


def test_models_are_made_in_one_place() -> None:
    """R-LM-5: nobody else takes a model from `Models`, or opens a client of a provider."""
    for name, tree in sources():
        made = [each for each in reads(tree, "get") if each in {"models", "self._models"}]
        assert not made or name in MAKES, name
        sdks = {each for sdk in ("openai", "anthropic", "google", "groq", "ollama") for each in imported(tree, sdk)}
        assert not sdks or name.startswith("providers/"), name


def test_keys_are_read_in_few_places() -> None:
    """R-LM-5: who reads no key asks nobody; who sends recordings on its own pays for each."""
    for name, tree in sources():
        keys = [each for each in reads(tree, "keys", "api_key", "api_keys") if "provider" in each or "service" in each]
        assert not keys or name in KEYS, (name, keys)
        if name in TILL:
            assert [each.name for each in functions(tree) if calls(each, TILL[name])] == ["_paid"], name


def functions(tree: ast.Module) -> Iterator[ast.AsyncFunctionDef]:
    """The functions of a module that wait."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef))


def calls(function: ast.AsyncFunctionDef, name: str) -> bool:
    """Whether a function calls one of this name."""
    called = (ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call))
    return any(each.rpartition(".")[2] == name for each in called)
