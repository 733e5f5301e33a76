"""What can be set about Telegram: `[channels.telegram]`."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, SecretStr, model_validator

from lar.channels.telegram.split import FILE_THRESHOLD
from lar.policy.access import AccessRules


def _ids(value: object) -> frozenset[str]:
    """Ids from a number, a list, a JSON list, or text with commas."""
    if value is None:
        return frozenset()
    if isinstance(value, str):
        text = value.strip()
        value = cast("list[object]", json.loads(text)) if text.startswith("[") else text.split(",")
    elif not isinstance(value, Iterable):
        value = [value]
    found = frozenset(str(item).strip() for item in cast("Iterable[object]", value)) - {""}
    wrong = sorted(item for item in found if not item.removeprefix("-").isdecimal())
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no Telegram id: ids are numbers such as 1234567 or -1001234567")
    return found


def _aliases(value: object) -> Mapping[str, str]:
    """Names by user id, from a table, a JSON object, or text such as `1234567:Ana;7654321:Ben`."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("{"):
            value = cast("dict[str, str]", json.loads(text))
        else:
            pairs = [pair.partition(":") for pair in text.split(";") if pair.strip()]
            value = {user.strip(): name.strip() for user, _, name in pairs}
    if not isinstance(value, Mapping):
        raise ValueError("write a table of user id and name, or text such as 1234567:Ana;7654321:Ben")  # noqa: TRY004  # pydantic explains a ValueError
    return {str(user): str(name) for user, name in cast("Mapping[object, object]", value).items()}


Ids = Annotated[frozenset[str], BeforeValidator(_ids)]


class LoginSettings(BaseModel):
    """`/login` and `/logout`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    enabled: bool = Field(default=False, description="Ask people to log in with `/login` before they can talk.")
    password: SecretStr = Field(default=SecretStr(""), description="What `/login` wants to hear.")
    ttl_seconds: int = Field(default=43_200, gt=0, description="How long a login lasts in a chat, in seconds.")

    @model_validator(mode="after")
    def _has_password(self) -> Self:
        if self.enabled and not self.password:
            raise ValueError("login is enabled without a password: set login.password")
        return self


class TelegramSettings(BaseModel):
    """One bot."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bot_token: SecretStr = Field(default=SecretStr(""), description="The token @BotFather gave you.")
    api_base: str = Field(default="https://api.telegram.org", description="Base URL of the Bot API server.")
    mode: Literal["polling", "webhook"] = Field(
        default="polling", description="Fetch updates by long polling, or have Telegram call `webhook_url`."
    )
    webhook_url: str = Field(default="", description="Public HTTPS address under which Telegram reaches this gateway.")
    webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Secret Telegram sends with each call; derived from the token if empty."
    )
    allowed_user_ids: Ids = Field(default=frozenset(), description="Users who may talk to the bot.")
    allowed_chat_ids: Ids = Field(default=frozenset(), description="Chats in which everybody may talk to the bot.")
    admin_user_ids: Ids = Field(default=frozenset(), description="Users who may administer Lar; they may also talk.")
    access: Literal["reply", "silent", "pairing"] = Field(
        default="reply", description="What a stranger gets: their ids, nothing, or a pairing code."
    )
    drain_on_start: bool = Field(default=False, description="Drop what was sent while Lar was not running.")
    user_aliases: Annotated[Mapping[str, str], BeforeValidator(_aliases)] = Field(
        default_factory=dict[str, str], description="The name a user id has in the prompt."
    )
    group_trigger: Literal["mention", "all"] = Field(
        default="mention", description="In groups, answer when mentioned or replied to, or answer everything."
    )
    typing: bool = Field(default=True, description="Show that the bot is typing while a turn runs.")
    preview: bool = Field(default=True, description="Show a long answer while it grows.")
    file_threshold_chars: int = Field(
        default=FILE_THRESHOLD, gt=0, description="Length in characters past which an answer is sent as a file."
    )
    max_download_bytes: ByteSize = Field(
        default=ByteSize(20_000_000), gt=0, description="Largest file accepted from a person, e.g. 20MB."
    )
    pacing: Literal["adaptive", "strict"] = Field(
        default="adaptive",
        description="Keep to Telegram's published rates once it complained (adaptive), or always (strict).",
    )
    poll_seconds: int = Field(default=30, ge=1, le=50, description="How long one poll waits for updates, in seconds.")
    request_seconds: float = Field(
        default=20.0, gt=0, description="How long any other call may take to be answered, in seconds."
    )
    login: LoginSettings = Field(default=LoginSettings(), description="Whether people log in, and for how long.")

    @model_validator(mode="after")
    def _has_address(self) -> Self:
        if self.mode == "webhook" and not self.webhook_url:
            raise ValueError('mode is "webhook" without an address: set webhook_url')
        return self

    @property
    def secret(self) -> str:
        """What Telegram sends with each webhook call: as configured, else derived from the token."""
        configured = self.webhook_secret.get_secret_value()
        token = self.bot_token.get_secret_value().encode()
        return configured or hmac.new(token, b"lar webhook", hashlib.sha256).hexdigest()

    def rules(self) -> AccessRules:
        """Who may talk to the bot."""
        return AccessRules(
            users=frozenset(self.allowed_user_ids),
            chats=frozenset(self.allowed_chat_ids),
            admins=frozenset(self.admin_user_ids),
            unknown=self.access,
            aliases=dict(self.user_aliases),
            password=self.login.password.get_secret_value() if self.login.enabled else "",
            login_seconds=self.login.ttl_seconds,
        )
