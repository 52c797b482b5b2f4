# SPDX-License-Identifier: MIT
"""SIGTERM and SIGINT while steps run: the first one asks to stop, a second one ends the process at once.

Python runs signal handlers on its main thread between two instructions of its own, so what a handler here calls must
not take a lock that the main thread may hold.
"""
from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Callable, Dict, Optional

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Handles them from ``with`` to its end; on other threads than the main one it does nothing."""

    def __init__(self, stop: Callable[[], None], wanted: bool = True) -> None:
        self._stop = stop
        self._wanted = wanted and threading.current_thread() is threading.main_thread()
        self._before: Dict[int, Any] = {}
        self.received: Optional[int] = None

    def __enter__(self) -> "Signals":
        if self._wanted:
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _receive(self, number: int, _frame: Optional[FrameType]) -> None:
        self.received = number
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self._stop()
