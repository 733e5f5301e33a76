"""What a server says of its tools becomes what every model provider takes, and what a person can judge."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.domain.risk import Deed, Risk
from lar.tools.contract import ToolContext, ToolResult
from lar.tools.mcp.describing import DEEPEST_SCHEMA, LONGEST_TEXT, Unusable, clean, describe, schema, tool_name
from lar.tools.mcp.offering import judge, offer
from lar.tools.mcp.settings import McpServerSettings, McpSettings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=70), inner, max_size=3),
    max_leaves=20,
)


def settings(**more: object) -> McpServerSettings:
    """A server that is a program."""
    return McpServerSettings.model_validate({"command": "x", **more})


@given(st.text(min_size=1, max_size=100))
def test_every_name_fits(tool: str) -> None:
    """R-TO-8: providers take at most 64 letters, digits, - and _; a name that has to be changed stays one of a kind."""
    name = tool_name("github", tool)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)
    assert name == f"github__{tool}" or name != tool_name("github", f"{tool}.")


def test_names_that_fit_are_kept() -> None:
    """R-TO-8: a model reads the server's name and the tool's; long ones differ even where they begin the same."""
    assert tool_name("github", "create_issue") == "github__create_issue"
    assert len({tool_name("x", "a" * 80), tool_name("x", "a" * 81), tool_name("x", "a" * 64)}) == 3


@given(JSON)
def test_a_schema_is_one_that_providers_take_or_none(raw: object) -> None:
    """R-TO-8: whatever a server says, one strange tool cannot make a provider refuse the whole turn."""
    try:
        found = schema(raw)
    except Unusable:
        return
    assert found["type"] == "object"
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name) for name in found["properties"])
    assert not {"oneOf", "anyOf", "allOf", "not", "enum", "$schema"} & set(found)
    assert schema(found) == found


def test_what_is_wrong_with_a_schema_is_said() -> None:
    """R-TO-8: too deep, too large, not an object: the tool is left out with a reason."""
    deep: dict[str, Any] = {}
    for _ in range(DEEPEST_SCHEMA):
        deep = {"a": deep}
    wrong: list[tuple[object, str]] = [
        ([], "not a JSON object"),
        ({"type": "string"}, "not a JSON object"),
        ({"properties": [1]}, "properties are not"),
        ({"properties": {"a b": {}}}, "'a b'"),
        ({"properties": deep}, "deeper"),
        ({"description": "x" * 40_000}, "longer"),
    ]
    for raw, why in wrong:
        with pytest.raises(Unusable, match=why):
            schema(raw)


def test_hidden_characters_are_taken_out() -> None:
    """R-TO-8: what an admin accepts is all that the model reads: no invisible text rides along."""
    assert clean("a\u200bb\U000e0041\x1b[31m\ud800\nc") == "ab[31m\nc"
    told, refused = describe(
        [
            {
                "name": "a",
                "description": "x" * 9_000,
                "inputSchema": {},
                "annotations": {"readOnlyHint": 1, "idempotentHint": True},
            },
            {"name": "b\x00", "inputSchema": {}},
            {"name": "twice", "inputSchema": {}},
            {"name": "twice", "inputSchema": {}},
            {"name": "c", "title": "C", "inputSchema": None},
        ]
    )
    assert len(told["a"]["description"]) < LONGEST_TEXT + 20
    assert told["a"]["claims"] == {"idempotentHint": True}
    assert set(told) == {"a"}
    assert set(refused) == {"b\x00", "twice", "c"}


def test_claims_do_not_make_a_deed_milder() -> None:
    """R-TO-8: what a server says of itself counts only where the owner says so; it may never lift a configured risk."""
    claims = {"readOnlyHint": True, "openWorldHint": False}
    assert judge(settings(), "t", claims) == (Risk.REACH, Deed.SUBMIT)
    assert judge(settings(deed="send"), "t", claims) == (Risk.REACH, Deed.SEND)
    assert judge(settings(trust_annotations=True), "t", claims) == (Risk.READ, Deed.LOOK)
    assert judge(settings(trust_annotations=True), "t", {"readOnlyHint": True}) == (Risk.REACH, Deed.OPEN)
    assert judge(settings(trust_annotations=True), "t", {}) == (Risk.REACH, Deed.SUBMIT)
    assert judge(settings(trust_annotations=True, tool_risks={"t": "exec"}), "t", claims) == (Risk.EXEC, Deed.RUN_OUT)


async def test_a_call_says_what_it_would_do() -> None:
    """R-TO-8: a person reads the server, the tool and every argument; the server's own claims are named as such."""

    async def call(_tool: str, _context: ToolContext, _arguments: object, _repeatable: bool) -> ToolResult:
        return ToolResult("")

    claims = {"readOnlyHint": True, "destructiveHint": False}
    described = {"send": {"description": "", "schema": {}, "claims": claims}}
    [told] = offer("post", settings(), described, call)
    effect = told.would({"to": "ann\u202e", "text": 'a "b"'})
    assert (effect.deed, effect.target) == (Deed.SUBMIT, "post")
    assert effect.summary == (
        'Call send of the MCP server post with to="ann", text="a \\"b\\"". '
        "It says of itself that it only looks and destroys nothing."
    )
    assert told.description == "send of the MCP server post."
    assert not told.repeatable
    there = McpServerSettings.model_validate({"url": "https://user:pw@example.org:8443/mcp"})
    [told] = offer("far", there, {"t": {"description": "d", "schema": {}, "claims": {}}}, call)
    assert told.would({}).target == "example.org:8443"
    assert told.would({}).summary == "Call t of the MCP server far with no arguments."


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"a": {}}, "either a command or a url"),
        ({"a": {"command": "x", "url": "http://x"}}, "either a command or a url"),
        ({"a": {"url": "ftp://x"}}, "http://"),
        ({"a__b": {"command": "x"}}, "letters, digits"),
        ({"_": {"command": "x"}}, "letters, digits"),
        ({"a" * 25: {"command": "x"}}, "at most 24"),
    ],
)
def test_servers_that_cannot_be(wrong: object, why: str) -> None:
    """R-TO-8: a server is a program or an address, and its name leaves no doubt whose a tool is."""
    with pytest.raises(ValueError, match=why):
        McpSettings.model_validate({"servers": wrong})


def test_secrets_are_masked() -> None:
    """R-PO-5: neither environment nor headers show when settings are printed."""
    told = settings(env={"TOKEN": "hidden-1"}, headers={"Authorization": "hidden-2"})
    assert "hidden" not in repr(told)
    assert "hidden" not in json.dumps(told.model_dump(mode="json"))
