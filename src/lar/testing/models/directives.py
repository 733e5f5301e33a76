"""The [[directives]] that a user message may carry, and the text they can ask for."""

import json
import re
from dataclasses import dataclass, field

from lar.testing.models.wire import Wire, obj

_OPENING = re.compile(r"\[\[([a-z_]+\??)(~?):?[ ]*")
_WITH_ARGUMENTS = ("tool", "loop", "badjson")


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: `[[name:arg]]`, or `[[tool:arg {json}]]`; with `~` the argument is a regular expression."""

    name: str
    arg: str = ""
    regex: bool = False
    arguments: Wire = field(default_factory=dict[str, object])


def find_directives(text: str) -> list[Directive]:
    """All well-formed directives of a text, in order."""
    found: list[Directive] = []
    for opening in _OPENING.finditer(text):
        name, rest = opening[1], text[opening.end() :]
        if name in _WITH_ARGUMENTS:
            called = _call_directive(name, bool(opening[2]), rest)
            if called:
                found.append(called)
        elif "]]" in rest:
            found.append(Directive(name, rest[: rest.index("]]")].strip()))
    return found


def _call_directive(name: str, regex: bool, rest: str) -> Directive | None:
    head = re.split(r"[\s{\]]", rest, maxsplit=1)[0]
    tail = rest[len(head) :].lstrip()
    arguments: Wire = {}
    if tail.startswith("{"):
        try:
            value, end = json.JSONDecoder().raw_decode(tail)
        except ValueError:
            return None
        arguments, tail = obj(value), tail[end:]
    return Directive(name, head, regex, arguments) if tail.lstrip().startswith("]]") else None


def markdown_text(length: int) -> str:
    """Exactly `length` characters of ordinary markdown, every paragraph numbered, so that loss or reordering shows."""
    out, part = "", 0
    while len(out) < length:
        part += 1
        out += (
            f"## Part {part}\n\nParagraph {part} has **bold {part}**, *italic* and `code_{part}` in it, so that "
            f"splitting is visible.\n\n```python\nvalue_{part} = {part} * 2  # fenced\n```\n\n"
            f"- item {part}.1\n- item {part}.2\n\n"
        )
    out = out[:length]
    return f"{out[:-1]}." if out and out[-1].isspace() else out


NASTY_MARKDOWN = """\
# Heading *with* _mixed_ `code`

Some **bold**, *italic*, ***both***, ~~struck~~, __dunder__, snake_case_name,
2 * 3 * 4, a < b && c > d, AT&T &amp; &lt;tag&gt;.
<b>raw html</b> <script>alert("x")</script> <unclosed, </closing>, 5 < 6 > 3

| Column A | Column_B | C |
|:---------|:--------:|--:|
| `a|b` | **x** | 1.5 |
| [link](https://example.com/a_(b)?q=1&r=2) | <i>y</i> | -2 |

1. First
   - nested `item_one`
     - deeper [ref][1]
2. Second \\* escaped \\_ chars!

> quote line one
> > nested quote

````markdown
```python
def f(x):  # <b>not bold</b> & *not italic*
    return {"a": [1, 2], 'b': "``"}
```
````

```
no language, unclosed **bold
```

Inline `` code with ` backtick `` and ![image](https://example.com/x.png) and <https://auto.link/path_x>.
Emoji 👨‍👩‍👧‍👦 🇩🇪 ✅, RTL שלום, CJK 漢字,
math $a_i^2$, footnote[^1], spoiler ||hidden||, dots... (parens) {braces} [brackets] #tag +1 -1 =x|y~z!

---
[1]: https://example.com/ref
**unbalanced bold and _unbalanced italic
"""
