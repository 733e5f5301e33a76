"""A typed async function becomes a tool: its signature is the schema, its docstring is what the model reads."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Concatenate, ParamSpec

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from lar.domain.risk import Risk
from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.tools.contract import Effect, Tool, ToolContext, ToolResult, always

P = ParamSpec("P")


def tool(
    *,
    risk: Risk,
    repeatable: bool,
    silences: bool = False,
    private: bool = False,
    effect: Callable[[JsonObject], Effect] | None = None,
    there: Callable[[], bool] = always,
    effect_here: Callable[[ToolContext, JsonObject], Effect] | None = None,
) -> Callable[[Callable[Concatenate[ToolContext, P], Awaitable[str | ToolResult]]], Tool]:
    """Decorate a function whose first parameter is the `ToolContext` and whose others are what the model fills in.

    Its name is the tool's name. The docstring's text is the description, and its Google `Args:` describe the
    arguments. The parameters may carry pydantic constraints: `Annotated[int, Field(ge=1)]`.
    """

    def make(function: Callable[Concatenate[ToolContext, P], Awaitable[str | ToolResult]]) -> Tool:
        name = function.__name__
        description, arguments = _read_docstring(function.__doc__ or "")
        model = _arguments_model(name, inspect.signature(function), arguments)

        def parse(raw: JsonObject) -> JsonObject:
            try:
                values = model.model_validate(raw)
            except ValidationError as error:
                raise ToolError(f"The arguments of {name} are wrong: {_explain(error)}") from None
            return {field: getattr(values, field) for field in model.model_fields}

        async def call(context: ToolContext, values: JsonObject) -> ToolResult:
            given = await function(context, **values)  # pyright: ignore[reportCallIssue]  # checked by `parse`
            return given if isinstance(given, ToolResult) else ToolResult(given)

        return Tool(
            name,
            description,
            _schema(model),
            risk,
            repeatable,
            call,
            silences=silences,
            private=private,
            parse=parse,
            effect=effect,
            there=there,
            effect_here=effect_here,
        )

    return make


def _arguments_model(name: str, signature: inspect.Signature, descriptions: dict[str, str]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for parameter in list(signature.parameters.values())[1:]:
        annotation = Annotated[parameter.annotation, Field(description=descriptions.get(parameter.name))]
        fields[parameter.name] = (annotation, ... if parameter.default is parameter.empty else parameter.default)
    model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    return model


def _schema(model: type[BaseModel]) -> JsonObject:
    """The JSON schema without the titles, which tell a model nothing and cost tokens."""
    schema = model.model_json_schema()
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return {"type": "object", "properties": {}, **schema}


def _explain(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())


def _read_docstring(docstring: str) -> tuple[str, dict[str, str]]:
    """Split a Google docstring into its text and the descriptions of its arguments."""
    text, _, rest = inspect.cleandoc(docstring).partition("\nArgs:\n")
    arguments: dict[str, str] = {}
    name = ""
    for line in rest.splitlines():
        stripped = line.strip()
        if not stripped:
            continue
        if not line.startswith(" "):
            break
        head, colon, tail = stripped.partition(":")
        if colon and head.isidentifier() and not line.startswith("     "):
            name, arguments[head] = head, tail.strip()
        elif name:
            arguments[name] += f" {stripped}"
    return " ".join(text.split()), arguments
