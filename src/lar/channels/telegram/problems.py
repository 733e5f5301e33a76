"""What a failed call means for the message that was to be sent."""

from lar.channels.telegram.failures import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NotSent,
    ServerTrouble,
    TelegramError,
    TooLarge,
    Wait,
)
from lar.errors import ChannelError, ChatGone, FileTooLarge, SendLater, SendRefused, SendUncertain

TOKEN_REFUSED = "Telegram refuses the bot token. Get the current one from @BotFather and set TELEGRAM_BOT_TOKEN."  # noqa: S105  # a sentence about a token
_TOKEN_PAUSE = 30.0
_PAUSE = 2.0
_GONE = (
    "chat not found",
    "user not found",
    "peer_id_invalid",
    "user is deactivated",
    "bot was kicked",
    "bot was blocked",
    "group chat was deactivated",
    "group chat was deleted",
    "group is deactivated",
    "message thread not found",
    "topic_closed",
    "topic_deleted",
    "chat_write_forbidden",
    "not enough rights to send",
    "have no rights to send",
    "need administrator rights in the channel chat",
)
_UNCHANGED = "message is not modified"
_LARGE = ("too big", "too large", "entity too large")


def meaning(error: TelegramError) -> ChannelError:
    """The error a sender understands."""
    text = str(error)
    found: ChannelError
    match error:
        case Wait():
            found = SendLater(error.seconds, text)
        case NotSent() | ServerTrouble() | ChatMigrated():
            found = SendLater(_PAUSE, text)
        case InvalidToken():
            found = SendLater(_TOKEN_PAUSE, TOKEN_REFUSED)
        case Forbidden():
            found = ChatGone(text)
        case TooLarge():
            found = FileTooLarge("The file is larger than Telegram takes from a bot (50 MB).")
        case BadRequest():
            found = _refusal(text)
        case _:
            found = SendUncertain(text)
    return found


def _refusal(text: str) -> ChannelError:
    """What a 400 means, by its words: Telegram has no codes for it."""
    words = text.lower()
    if any(sign in words for sign in _GONE):
        return ChatGone(text)
    if any(sign in words for sign in _LARGE):
        return FileTooLarge(f"Telegram does not take a file of this size ({text}).")
    return SendRefused(text)


def is_unchanged(error: TelegramError) -> bool:
    """An edit that would change nothing: as good as done."""
    return isinstance(error, BadRequest) and _UNCHANGED in str(error).lower()
