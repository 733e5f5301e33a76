"""What can be set about the browser."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lar.domain.bytesize import ByteSize


class Viewport(BaseModel):
    """Size of the window, in pixels."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    width: int = Field(default=1280, ge=100, le=4000, description="Width of the window, in pixels.")
    height: int = Field(default=800, ge=100, le=4000, description="Height of the window, in pixels.")


class BrowserSettings(BaseModel):
    """The tools `browser_*`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    enabled: bool = Field(
        default=True, description="Whether there are the tools `browser_*`, where a browser is installed."
    )
    browser: Literal["chromium", "firefox", "webkit"] = Field(
        default="chromium",
        description="Which kind. Firefox and WebKit must be those Playwright makes, named by executable_path.",
    )
    executable_path: str = Field(
        default="", description="The browser's program; empty: the Chromium or Chrome found on PATH."
    )
    launch_channel: str = Field(
        default="", description="Name of another program to look for on PATH first, such as google-chrome-beta."
    )
    args: tuple[str, ...] = Field(default=(), description="More arguments for the browser.")
    sandbox: Literal["bubblewrap", "basic"] = Field(
        default="bubblewrap",
        description="Walls around the browser. `basic` has none but its own, and keeps it to the guarded way out by "
        "its own arguments.",
    )
    memory: ByteSize = Field(
        default=1 << 30, ge=256 << 20, description="Most memory of one browser with all its processes."
    )
    disk: ByteSize = Field(default=512 << 20, ge=64 << 20, description="Most disk of one browser.")
    max_sessions: int = Field(default=3, ge=1, description="How many browsers may be open at a time.")
    session_seconds: float = Field(default=900.0, gt=0, description="Close a browser not used for so long.")
    lifetime_seconds: float = Field(default=7200.0, gt=0, description="Close a browser after so long in any case.")
    timeout_seconds: float = Field(default=30.0, gt=0, description="Longest time a page may take.")
    max_chars: int = Field(
        default=12_000, ge=500, description="Most of a page a model is shown at once, in characters."
    )
    max_elements: int = Field(default=60, ge=5, le=300, description="Most fields and buttons a model is shown.")
    postprocess_outputs: bool = Field(default=True, description="Whether pages are given as Markdown, else as HTML.")
    snapshot_seconds: float = Field(
        default=60.0, ge=0, description="How long further parts of a page are taken from what was read at first."
    )
    allowed_domains: tuple[str, ...] = Field(
        default=(),
        description="The only domains the browser reaches, with all below them; none named: all public ones.",
    )
    allow_http: bool = Field(default=True, description="Whether pages may come without encryption.")
    user_agent: str = Field(default="", description="What the browser calls itself; empty: its own name.")
    viewport: Viewport = Field(default_factory=Viewport, description="Size of the window.")
    locale: str = Field(default="", description="Language such as de-DE; empty: the browser's own.")
    timezone: str = Field(default="", description="Time zone pages see; empty: that of the machine.")
    geolocation: str = Field(
        default="",
        pattern=r"^$|^-?\d+(\.\d+)?, ?-?\d+(\.\d+)?$",
        description="Latitude and longitude that pages are told, such as 52.5,13.4; empty: they are told nothing.",
    )
    headers: dict[str, str] = Field(default={}, description="HTTP headers sent along to every page.")
