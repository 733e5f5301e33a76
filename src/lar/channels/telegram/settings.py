"""Settings of the Telegram channel."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class TelegramSettings(BaseModel):
    """How to reach Telegram, and who may talk to the bot."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bot_token: SecretStr | None = Field(default=None, description="The bot's token; without one Telegram is off.")
    api_base: str = Field(default="https://api.telegram.org", description="Address of the Bot API server.")
    mode: Literal["polling", "webhook"] = Field(default="polling", description="How updates arrive.")
    allowed_user_ids: tuple[int, ...] = Field(default=(), description="Users who may talk to the bot.")
    allowed_chat_ids: tuple[int, ...] = Field(default=(), description="Chats whose members may talk to the bot.")
    admin_user_ids: tuple[int, ...] = Field(default=(), description="Users who may administer Lar.")
    access: Literal["reply", "silent", "pairing"] = Field(default="reply", description="What an unknown sender gets.")
