# SPDX-License-Identifier: MIT
"""How many steps to take at a time: as many as are run in some milliseconds. Pure.

Steps that are taken and not begun wait behind others here, while another process might have time for them; so slow
handlers get few at a time, and fast ones up to a whole batch.
"""
from __future__ import annotations

from .worker import POLL_COUNT_MAX

WORK_S = 0.01


class Pace:
    def __init__(self, least: int) -> None:
        self._least = max(1, least)
        self.count = self._least

    def took(self, count: int, seconds: float) -> None:
        """count steps were begun within this time."""
        fitting = int(count * WORK_S / seconds) if seconds > 0 else POLL_COUNT_MAX
        self.count = max(self._least, min(fitting, POLL_COUNT_MAX))

    def slow_down(self) -> None:
        self.count = self._least
