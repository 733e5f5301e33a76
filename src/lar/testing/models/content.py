"""Reading message contents and tool lists in the shapes that several APIs share."""

import json
import re
from typing import Any

from lar.testing.models.ask import Medium, Message
from lar.testing.models.wire import Wire, array, obj, objs, string

_DATA_URL = re.compile(r"data:([^;,]*)[^,]*,")


def decoded_size(base64_text: str) -> int:
    """Bytes that a base64 text stands for."""
    return len(base64_text) * 3 // 4 - base64_text[-2:].count("=")


def linked(kind: str, url: str) -> Medium:
    """A medium given by URL; a data: URL tells its type and size."""
    match = _DATA_URL.match(url[:200])
    return Medium(kind, match[1], decoded_size(url[match.end() :])) if match else Medium(kind, "url", 0)


def plain(content: Any) -> str:
    """Text of a system prompt or a tool result in any of its shapes."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_plain_part(part) for part in array(content))
    return "" if content is None else json.dumps(content, ensure_ascii=False)


def _plain_part(part: Any) -> str:
    if not isinstance(part, dict):
        return str(part)
    given = obj(part)
    return plain(given.get("text", f"<{given.get('type', 'part')}>"))


def add_content(message: Message, content: Any) -> None:
    """Read user or assistant content in the shape of OpenAI Chat, OpenAI Responses or Anthropic."""
    if isinstance(content, str):
        message.parts += [content] if content else []
        return
    for part in array(content):
        if isinstance(part, str):
            message.parts.append(part)
        elif obj(part).get("type") in ("text", "input_text", "output_text"):
            message.parts.append(string(part.get("text")))
        else:
            medium = _medium(obj(part))
            if medium:
                message.media.append(medium)


def _medium(part: Wire) -> Medium | None:
    kind = string(part.get("type"))
    if kind in ("image_url", "input_image"):
        url = part.get("image_url")
        return linked("image", string(obj(url).get("url")) or string(url))
    if kind == "input_audio":
        audio = obj(part.get("input_audio", part))
        return Medium("audio", f"audio/{audio.get('format', '?')}", decoded_size(string(audio.get("data"))))
    if kind in ("file", "input_file"):
        file = obj(part.get("file", part))
        return linked("file", string(file.get("file_data")) or string(file.get("file_url")))
    if kind in ("image", "document"):
        source = obj(part.get("source"))
        data = string(source.get("data"))
        size = decoded_size(data) if source.get("type") == "base64" else len(data)
        return Medium(kind, string(source.get("media_type", source.get("type"))), size)
    return None


def tool_table(tools: Any) -> dict[str, str]:
    """Names of the offered tools (OpenAI and Anthropic shapes) → function, custom or hosted."""
    table: dict[str, str] = {}
    for tool in objs(tools):
        function = obj(tool.get("function") or tool.get("custom") or tool)
        name, kind = string(function.get("name")), string(tool.get("type", "function"))
        own = "input_schema" in tool or kind in ("function", "custom")
        if not name or not own:
            table[name or kind] = "hosted"
        else:
            table[name] = "custom" if kind == "custom" and "input_schema" not in tool else "function"
    return table


def tool_schemas(tools: Any) -> dict[str, Wire]:
    """Names of the offered tools → JSON schema of their arguments, in any API's shape."""
    schemas: dict[str, Wire] = {}
    for tool in objs(tools):
        function = obj(tool["function"]) if isinstance(tool.get("function"), dict) else tool
        spellings = ("parameters", "input_schema", "parametersJsonSchema", "parameters_json_schema")
        schema = next((obj(function[name]) for name in spellings if function.get(name)), None)
        if function.get("name") and schema is not None:
            schemas[string(function["name"])] = schema
    return schemas


def forced_tool(choice: Any) -> str:
    """The tool that `tool_choice` demands (OpenAI and Anthropic shapes); "*" for any, "" for none."""
    if choice == "required":
        return "*"
    wanted = obj(choice)
    name = string(wanted.get("name")) or string(obj(wanted.get("function")).get("name"))
    return name or ("*" if wanted.get("type") == "any" else "")


def example_of(schema: Wire, text: str = "sim", root: Wire | None = None) -> Any:
    """The smallest value that a JSON schema allows; strings become `text`."""
    root = schema if root is None else root
    if "$ref" in schema:
        return example_of(_resolved(string(schema["$ref"]), root), text, root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return array(schema["enum"])[0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return example_of(objs(schema[key])[0], text, root)
    return _example_of_kind(schema, text, root)


def _resolved(reference: str, root: Wire) -> Wire:
    found = root
    for step in reference.lstrip("#/").split("/"):
        found = obj(found.get(step)) if step else found
    return found


def _example_of_kind(schema: Wire, text: str, root: Wire) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = str(array(kind)[0] if isinstance(kind, list) else kind).lower()
    if kind == "object":
        properties = obj(schema.get("properties"))
        needed = schema.get("required", list(properties))
        return {name: example_of(obj(inner), text, root) for name, inner in properties.items() if name in needed}
    if kind == "array":
        return [example_of(obj(schema.get("items")), text, root)] * int(schema.get("minItems", 0))
    lowest = schema.get("minimum", 0)
    return {"integer": lowest, "number": lowest, "boolean": False, "null": None}.get(kind, text)
