"""Telegram keeps what every channel promises."""

import pytest
from telegram_bench import Bench

from lar.testing.channel_contract import ChannelContract, FaultyVendorContract


class TestTelegram(ChannelContract):
    """Against a Telegram that works."""

    @pytest.fixture
    def harness(self, bench: Bench) -> Bench:
        """The bench is a harness."""
        return bench


class TestTelegramInTrouble(FaultyVendorContract):
    """Against a Telegram that fails."""

    @pytest.fixture
    def harness(self, bench: Bench) -> Bench:
        """The bench is a harness."""
        return bench
