"""A program that speaks MCP on its standard input and output, well or badly: raw JSON lines, nothing imported.

Run it by its path: `python mcp_server.py FOLDER`. Its tools are those of `TOOLS`, or what `FOLDER/tools.json` says when
they are listed. What it notices goes to `FOLDER/notices`.
"""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

Json = dict[str, Any]

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf500f000"
    "38101fe2f6b7c0b0000000049454e44ae426082"
)

ANY: Json = {"type": "object", "properties": {"text": {"type": "string"}}}


def tool(name: str, description: str, **more: object) -> Json:
    """A tool as a server describes it."""
    return {"name": name, "description": description, "inputSchema": ANY, **more}


TOOLS = [
    tool("echo", "Say it again.", annotations={"readOnlyHint": True, "openWorldHint": False}),
    tool("fail", "Fail."),
    tool("refuse", "Answer with an error of the protocol."),
    tool("wait", "Never answer."),
    tool("die", "Die in the middle of it."),
    tool("die_once", "Die in the middle of it, the first time."),
    tool("flood", "Write what nobody asked for, for ever."),
    tool("babble", "Write lines that are no JSON, then answer."),
    tool("huge", "Answer with so many bytes."),
    tool("picture", "Answer with a picture, a file, a link and a text."),
    tool("environment", "Show the environment."),
    tool("child", "Start a process that outlives the call."),
    tool("change", "Say that the tools have changed."),
]


class Server:
    """One run of the program."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writing = threading.Lock()

    def run(self) -> None:
        """Answer until the input ends."""
        self.note(f"started {os.getpid()}")
        for line in sys.stdin:
            message = cast("Json", json.loads(line))
            if message.get("method") == "notifications/cancelled":
                self.note(f"cancelled {message['params']['requestId']}")
            if "id" in message:
                threading.Thread(target=self._answer, args=(message,), daemon=True).start()

    def note(self, text: str) -> None:
        """Leave a line for the test."""
        with (self._folder / "notices").open("a") as notices:
            notices.write(f"{text}\n")

    def write(self, text: str) -> None:
        """Write a line, whatever it is."""
        with self._writing:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def _answer(self, message: Json) -> None:
        method, number = message["method"], message["id"]
        if method == "initialize":
            version = message["params"]["protocolVersion"]
            info = {"name": "odd", "version": "1"}
            self._give(number, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info})
        elif method == "tools/list":
            own = self._folder / "tools.json"
            self._give(number, {"tools": json.loads(own.read_text()) if own.exists() else TOOLS})
        elif method == "tools/call":
            self.note(f"called {message['params']['name']}")
            answer = ANSWERS[message["params"]["name"]](self, message["params"].get("arguments") or {})
            if answer is not None:
                self._give(number, {"content": [], **answer})
        else:
            self._refuse(number, "there is no such method")

    def _give(self, number: object, result: Json) -> None:
        if result.get("refuse"):
            self._refuse(number, result["refuse"])
        else:
            self.write(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}))

    def _refuse(self, number: object, text: str) -> None:
        self.write(json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": text}}))

    # ---- the tools

    def echo(self, arguments: Json) -> Json:
        """Say it again."""
        return _text(arguments.get("text", ""))

    def fail(self, arguments: Json) -> Json:
        """The tool's own failure."""
        return {**_text(arguments.get("text", "it failed")), "isError": True}

    def refuse(self, _arguments: Json) -> Json:
        """An error of the protocol."""
        return {"refuse": "not today"}

    def wait(self, _arguments: Json) -> None:
        """No answer."""

    def die(self, _arguments: Json) -> None:
        """The end."""
        os._exit(3)

    def die_once(self, _arguments: Json) -> Json:
        """The end, the first time."""
        if (self._folder / "notices").read_text().count("called die_once") == 1:
            os._exit(3)
        return _text("alive")

    def flood(self, _arguments: Json) -> None:
        """Notices without end."""
        notice = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x" * 10_000}})
        while True:
            self.write(notice)

    def babble(self, _arguments: Json) -> Json:
        """Broken lines."""
        self.write("this is no JSON")
        self.write('{"jsonrpc": "2.0"}')
        self.write("[" * 5000)
        return _text("sorry")

    def huge(self, arguments: Json) -> Json:
        """Much."""
        return _text("x" * int(arguments.get("text", "1000")))

    def picture(self, _arguments: Json) -> Json:
        """All kinds of content."""
        encoded = base64.b64encode(PNG).decode()
        return {
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image", "data": encoded, "mimeType": "image/png"},
                {"type": "image", "data": base64.b64encode(b"no image").decode(), "mimeType": "image/png"},
                {"type": "image", "data": "%%%", "mimeType": "image/png"},
                {"type": "audio", "data": encoded, "mimeType": "audio/wav"},
                {"type": "resource", "resource": {"uri": "file:///a.txt", "text": "inside"}},
                {"type": "resource", "resource": {"uri": "file:///a.bin", "blob": encoded}},
                {"type": "resource_link", "uri": "https://example.org/x", "name": "x", "description": "an x"},
            ]
        }

    def environment(self, _arguments: Json) -> Json:
        """What leaked."""
        return _text(json.dumps({"env": dict(os.environ), "cwd": str(Path.cwd())}))

    def child(self, _arguments: Json) -> Json:
        """A process of its own that does not listen to requests to end."""
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        return _text(str(subprocess.Popen([sys.executable, "-c", code]).pid))  # noqa: S603  # our own words

    def change(self, _arguments: Json) -> Json:
        """The tools have changed."""
        self.write(json.dumps({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}))
        return _text("changed")


def _text(text: str) -> Json:
    return {"content": [{"type": "text", "text": text}]}


ANSWERS: dict[str, Callable[[Server, Json], Json | None]] = {
    str(described["name"]): cast("Callable[[Server, Json], Json | None]", getattr(Server, str(described["name"])))
    for described in TOOLS
}


if __name__ == "__main__":
    Server(Path(sys.argv[1])).run()
