"""Shipped doubles: simulators of Telegram and of model APIs, a clock, contract suites for every seam."""
