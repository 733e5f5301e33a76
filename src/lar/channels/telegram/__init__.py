"""Telegram: the Bot API through python-telegram-bot, with formatting by message entities."""
