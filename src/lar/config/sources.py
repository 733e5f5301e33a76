"""Where configuration comes from: one TOML file, the environment, and `.env`. Reads, and understands nothing yet."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from lar.errors import ConfigError

PREFIX = "LAR__"

_REFERENCE = re.compile(r"\$(\$\{|\{([A-Za-z_][A-Za-z0-9_]*)\})")


@dataclass(frozen=True, slots=True)
class Override:
    """One `LAR__SECTION__KEY=text` of the environment; `path` in lower case."""

    variable: str
    path: tuple[str, ...]
    text: str


def read_file(path: Path) -> dict[str, object]:
    """The tables of a TOML file.

    Raises:
        ConfigError: it cannot be read, or is not TOML.

    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}. Create it, or name another with --config"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def read_variables(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, on top of `.env` in the home folder. Variables that are set to nothing are left out."""
    try:
        file = dotenv_values(home / ".env", interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{home / '.env'} cannot be read: {error}") from None
    variables = {**file, **environ}
    return {name: value for name, value in variables.items() if value}


def overrides(variables: Mapping[str, str]) -> list[Override]:
    """What `LAR__...` variables set, the shortest path first, so that a key wins over its table."""
    found = [
        Override(name, tuple(name[len(PREFIX) :].lower().split("__")), text)
        for name, text in variables.items()
        if name.startswith(PREFIX)
    ]
    return sorted(found, key=lambda override: (len(override.path), override.path))


def substitute(text: str, key: str, variables: Mapping[str, str]) -> str:
    """Replace `${NAME}`; `$${` stands for a literal `${`.

    Raises:
        ConfigError: the variable is not set.

    """

    def replace(match: re.Match[str]) -> str:
        name = match[2]
        if name is None:
            return "${"
        if name not in variables:
            raise ConfigError(f"{key} refers to ${{{name}}}, which is not set: put {name} into the environment or .env")
        return variables[name]

    return _REFERENCE.sub(replace, text)
