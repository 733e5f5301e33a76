"""The brain: one deterministic answer to every request, by script or by [[directives]], else an echo."""

import hashlib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lar.testing.models.ask import Ask
from lar.testing.models.content import example_of
from lar.testing.models.directives import NASTY_MARKDOWN, Directive, find_directives, markdown_text
from lar.testing.models.reply import Call, Reply
from lar.testing.models.wire import Wire, objs, string

NONCE = re.compile(r"\bn[0-9a-f]{10}\b")
"""A word that a load driver puts into a message to recognise its answer; no answer leaves it out."""

_LONGEST_ECHO = 3500
_LONGEST_QUOTE = 1500
_SYSTEM_START = 4000


@dataclass(slots=True)
class Rule:
    """Exact next answers for requests whose JSON matches `match` and whose model is `model` (None: any)."""

    match: str | None
    model: str | None
    outputs: list[Wire]

    def fits(self, ask: Ask) -> bool:
        """Whether this rule answers that request."""
        if self.model and self.model != ask.model:
            return False
        return not self.match or bool(re.search(self.match, json.dumps(ask.body, ensure_ascii=False), re.DOTALL))


class Brain:
    """Answers requests; remembers which failures it has already shown."""

    def __init__(self) -> None:
        self.script: list[Rule] = []
        self._shown: dict[str, int] = {}
        self._unlucky_key: dict[str, str] = {}
        self._call_ids = itertools.count(1)

    def think(self, ask: Ask) -> Reply:
        """The answer to one request: the script's, where a rule fits, else the directives' or an echo."""
        reply = self._scripted(ask) or self._answer(ask)
        for call in reply.calls:
            call.call_id = call.call_id or f"call_{next(self._call_ids):08d}sim"
            call.custom = ask.tools.get(call.name) == "custom"
        return reply

    def _scripted(self, ask: Ask) -> Reply | None:
        rule = next((rule for rule in self.script if rule.fits(ask)), None)
        if rule is None:
            return None
        output = dict(rule.outputs.pop(0))
        if not rule.outputs:
            self.script.remove(rule)
        calls = [_scripted_call(call) for call in objs(output.pop("tool_calls", None))]
        return Reply(calls=calls, status=str(output.pop("status", "")), **output)

    def _fires(self, ask: Ask, directive: Directive) -> bool:
        """Whether a failing directive fires now: `X` once per text, `X xN` N times, `X always`, `X key`.

        With `key`, the first API key that meets it fails for ever and other keys pass.
        """
        mode = directive.arg.partition(" ")[2] if directive.name == "status" else directive.arg
        ident = f"{directive.name}:{directive.arg}:{ask.user.text}"
        if mode == "always":
            return True
        if mode == "key":
            return self._unlucky_key.setdefault(ident, ask.key) == ask.key
        limit = int(mode[1:]) if re.fullmatch(r"x\d+", mode) else 1
        self._shown[ident] = self._shown.get(ident, 0) + 1
        return self._shown[ident] <= limit

    def _answer(self, ask: Ask) -> Reply:
        found = find_directives(ask.user.text)
        made = sum(len(message.calls) for message in ask.since_user)
        reply, said = Reply(), list[str]()
        for directive in found:
            if directive.name == "status" and self._fires(ask, directive):
                return Reply(status=directive.arg.partition(" ")[0], sleep=reply.sleep)
            if directive.name == "stream_break" and not made:
                reply.stream_break = self._fires(ask, directive)
            if directive.name == "loop" and (name := _offered(ask, directive)):
                reply.calls = [Call(name, json.dumps(directive.arguments))]
                return reply
            said += _said(ask, directive)
            _shape(reply, directive, first=not made)
        reply.calls, missing = _planned_calls(ask, found, made)
        if not reply.calls and not made:
            reply.calls = _forced_call(ask)
        if not reply.calls:
            reply.text = _text(ask, found, said + missing)
        return reply


def _scripted_call(given: Wire) -> Call:
    arguments = given.get("args", {})
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return Call(string(given["name"]), text, string(given.get("id")))


def _shape(reply: Reply, directive: Directive, *, first: bool) -> None:
    """Directives that change how an answer comes; most of them only the first answer of a turn."""
    if directive.name == "maxtok":
        reply.finish = "length"
    elif directive.name == "sleep" and first:
        reply.sleep += float(directive.arg or 0)
    elif directive.name == "think" and first:
        reply.thinking = directive.arg or "Let me think about this."


def _offered(ask: Ask, directive: Directive) -> str | None:
    """The offered tool that a directive means, None where there is none."""
    names = [name for name, kind in ask.tools.items() if kind != "hosted"]
    if directive.regex:
        return next((name for name in names if re.search(directive.arg, name, re.IGNORECASE)), None)
    same = (name for name in names if name.lower() == directive.arg.lower())
    return directive.arg if directive.arg in names else next(same, None)


def _planned_calls(ask: Ask, found: list[Directive], made: int) -> tuple[list[Call], list[str]]:
    """The calls that are due now, and a sentence for each tool that is not offered."""
    plan = [d for d in found if d.name in ("tool", "badjson")]
    parallel = not made and any(d.name == "par" for d in found)
    calls, missing = list[Call](), list[str]()
    for directive in plan if parallel else plan[made : made + 1]:
        broken = directive.name == "badjson"
        name = next(iter(ask.tools), None) if broken and not directive.arg else _offered(ask, directive)
        arguments = '{"broken": "no end' if broken else json.dumps(directive.arguments, ensure_ascii=False)
        if name:
            calls.append(Call(name, arguments))
        else:
            missing.append(f"tool {directive.arg} not offered; offered: {', '.join(ask.tools) or 'none'}")
    return calls, missing


def _forced_call(ask: Ask) -> list[Call]:
    name = next(iter(ask.schemas), "") if ask.forced == "*" else ask.forced
    if name not in ask.tools:
        return []
    arguments = example_of(ask.schemas.get(name, {}), ask.user.text[-200:] or "sim")
    return [Call(name, json.dumps(arguments))]


def _text(ask: Ask, found: list[Directive], said: list[str]) -> str:
    if any(d.name in ("tool", "badjson") for d in found):
        results = [result for message in ask.since_user for result in message.results]
        said = said + [f"tool {r.name} said: {r.output[:_LONGEST_QUOTE]}" for r in results]
    if not said:
        text = ask.user.parts[-1] if ask.user.parts else ""
        said = ["echo: " + (text if len(text) <= _LONGEST_ECHO else "…" + text[-_LONGEST_ECHO:])]
    else:
        shown = "\n".join(said)
        absent = [nonce for nonce in NONCE.findall(ask.user.text) if nonce not in shown]
        said = [*said, " ".join(absent)] if absent else said
    text = _with_missed("\n".join(said), ask)
    if ask.output_schema is None or found:
        return text
    value: Any = example_of(ask.output_schema, text) if ask.output_schema else {"echo": text}
    return json.dumps(value, ensure_ascii=False)


def _with_missed(text: str, ask: Ask) -> str:
    """What was put before this message without an answer in between is answered here too, as a model would."""
    before = reversed(ask.messages[: max(ask.last_user, 0)])
    earlier = itertools.takewhile(lambda message: message.role == "user", before)
    missed = [nonce for message in earlier for nonce in NONCE.findall(message.text) if nonce not in text]
    return f"{text}\n(also: {' '.join(reversed(missed))})" if missed else text


def _said(ask: Ask, directive: Directive) -> list[str]:
    says = _SAYINGS.get(directive.name)
    return [says(ask, directive)] if says else []


def _say_tools(ask: Ask, _directive: Directive) -> str:
    return f"tools ({len(ask.tools)}): {', '.join(ask.tools)}"


def _say_system(ask: Ask, _directive: Directive) -> str:
    digest = hashlib.sha256(ask.system.encode()).hexdigest()[:16]
    return f"system sha256={digest} chars={len(ask.system)}\n{ask.system[:_SYSTEM_START]}"


def _say_history(ask: Ask, _directive: Directive) -> str:
    roles = ",".join(message.role for message in ask.messages)
    return f"history: {len(ask.messages)} messages, roles={roles}, system={len(ask.system)} chars"


def _say_media(ask: Ask, _directive: Directive) -> str:
    count = sum(len(message.media) for message in ask.messages)
    here = ask.user.media
    shown = "; ".join(f"{medium.kind} {medium.mime} {medium.size}B" for medium in here)
    return f"media: {len(here)} in this message, {count} in all; {shown}"


_SAYINGS: dict[str, Callable[[Ask, Directive], str]] = {
    "tools": _say_tools,
    "system": _say_system,
    "history": _say_history,
    "image?": _say_media,
    "len": lambda _, directive: markdown_text(int(directive.arg or 100)),
    "md": lambda _ask, _directive: NASTY_MARKDOWN,
    "text": lambda _, directive: directive.arg,
    "loop": lambda _, directive: f"tool {directive.arg} not offered",
}
