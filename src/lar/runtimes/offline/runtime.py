"""The offline runtime: no model, real tools, and no pretence."""

from collections.abc import AsyncGenerator

from lar.errors import LimitReached
from lar.runtimes.contract import Finished, RuntimeEvent, ToolEnded, ToolStarted, TurnRequest
from lar.runtimes.offline.phrases import Call, Help, Language, understand
from lar.tools.contract import ToolCall, ToolOutcome, ToolStatus

_INTRODUCTIONS: dict[Language, dict[str, str]] = {
    "en": {"calculate_expression": "`{asked}` = **{result}**", "list_notes": "Your notes:\n\n{result}"},
    "es": {
        "calculate_expression": "`{asked}` = **{result}**",
        "list_notes": "Tus notas:\n\n{result}",
        "save_note": "Guardado. {result}",
        "delete_note": "Borrado. {result}",
    },
}

_ABILITIES: dict[Language, str] = {
    "en": """\
Without a model I can do these things:

- calculate: `what is 17.5% of 2340?`
- tell the time and the date: `what time is it?`
- keep notes: `note: the boiler code is 4411`, `which notes do I have?`, `find note boiler`, `show note 3`, \
`delete note 3`
- remind you: `remind me tomorrow at 7 to call Ana`, `every weekday at 9 remind me to write`, `my reminders`, \
`cancel reminder 3`

/help lists the commands.""",
    "es": """\
Sin un modelo puedo hacer esto:

- calcular: `¿cuánto es 17,5% de 2340?`
- decir la hora y la fecha: `¿qué hora es?`
- guardar notas: `nota: el código de la caldera es 4411`, `¿qué notas tengo?`, `busca nota caldera`, \
`muestra la nota 3`, `borra la nota 3`
- recordarte cosas, dicho en inglés: `remind me tomorrow at 7 to call Ana`; `mis recordatorios` los lista

/help muestra los comandos.""",
}

_LOST: dict[Language, str] = {
    "en": """\
I did not understand that: no language model is configured here, so I only know a few fixed phrases.

{abilities}

For everything else the owner of this Lar can configure a model: set the key of a provider, such as \
`OPENAI_API_KEY` or `GEMINI_API_KEY`, in the environment or in `.env`, \
or a `[providers.…]` section in `lar.toml`, and restart.""",
    "es": """\
No lo he entendido: aquí no hay configurado ningún modelo de lenguaje, así que solo conozco unas pocas frases fijas.

{abilities}

Para todo lo demás, el dueño de este Lar puede configurar un modelo: la clave de un proveedor, como \
`OPENAI_API_KEY` o `GEMINI_API_KEY`, en el entorno o en `.env`, \
o una sección `[providers.…]` en `lar.toml`, y reiniciar.""",
}


_AWAY: dict[Language, str] = {
    "en": "No model answers right now, so I do this without one. I say so only once.",
    "es": "Ahora no responde ningún modelo, así que hago esto sin él. Solo lo digo una vez.",
}


class OfflineRuntime:
    """Understands a few phrases and calls the same tools a model would, through the same toolbox. A `Runtime`."""

    def understands(self, prompt: str, /) -> bool:
        """Whether something is asked that it can do, and nothing that it cannot."""
        wishes = understand(prompt)
        known = all(not isinstance(wish, Help) or wish.understood for wish in wishes)
        return known and any(isinstance(wish, Call) for wish in wishes)

    async def run(self, request: TurnRequest, *, away: bool = False) -> AsyncGenerator[RuntimeEvent, None]:
        """Answer what is understood, paragraph by paragraph. `away`: say first that the models are away.

        Raises:
            LimitReached: more tool calls are asked for than the turn may make.

        """
        answers: list[str] = []
        calls = 0
        wishes = understand(request.prompt)
        if away:
            answers.append(_AWAY[wishes[0].language])
        for wish in wishes:
            if isinstance(wish, Help):
                answers.append(_explanation(wish))
                continue
            calls += 1
            if calls > request.limits.tool_calls:
                raise LimitReached(
                    "tool_calls", f"the turn reached its limit of {request.limits.tool_calls} tool calls"
                )
            call = ToolCall(f"1.{calls}", wish.tool, wish.arguments)
            yield ToolStarted(call.name, call.key)
            outcome = await request.toolbox.execute(call)
            yield ToolEnded(call.name, call.key, outcome.status, outcome.outgoing)
            answers.append(_answer(wish, outcome))
        yield Finished("\n\n".join(dict.fromkeys(answers)))


def _explanation(wish: Help) -> str:
    abilities = _ABILITIES[wish.language]
    return abilities if wish.understood else _LOST[wish.language].format(abilities=abilities)


def _answer(wish: Call, outcome: ToolOutcome) -> str:
    if outcome.status is not ToolStatus.OK:
        return outcome.text
    introduction = _INTRODUCTIONS[wish.language].get(wish.tool, "{result}")
    return introduction.format(asked=wish.arguments.get("expression", ""), result=outcome.text)
