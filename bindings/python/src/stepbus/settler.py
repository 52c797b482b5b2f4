# SPDX-License-Identifier: MIT
"""The thread that hands answers in while others run handlers, so that nobody waits for the disk but it."""
from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import Optional

from .logs import WORKER as LOG
from .settling import LAST_TRIES_S, Settling

#: For how long answers may come together before they are handed in.
GATHER_S = 0.004

_SOON, _NOW, _END = 1, 2, 3


class Settler:
    def __init__(self, settling: Settling, name: str) -> None:
        self._settling = settling
        self._wishes: "SimpleQueue[int]" = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def soon(self) -> None:
        """There is a first answer: more may come."""
        self._wishes.put(_SOON)

    def now(self) -> None:
        """No more come for the moment."""
        if self._settling:
            self._wishes.put(_NOW)

    def end(self) -> int:
        """Hands in what is left, and tells how many answers could not be kept."""
        self._wishes.put(_END)
        self._thread.join()
        return len(self._settling)

    def _run(self) -> None:
        while self._gather() != _END:
            self._settle()
        end = time.monotonic() + LAST_TRIES_S
        self._settle()
        while self._settling and time.monotonic() < end:
            time.sleep(min(self._settling.wait_s(), 0.1) or 0.001)
            self._settle()

    def _gather(self) -> int:
        """Waits until it is time to settle."""
        wish = self._get(self._settling.wait_s() or GATHER_S if self._settling else None)
        return self._get(GATHER_S) if wish == _SOON else wish

    def _get(self, timeout: Optional[float]) -> int:
        try:
            return self._wishes.get(timeout=timeout)
        except Empty:
            return _NOW

    def _settle(self) -> None:
        try:
            self._settling.settle()
        except Exception as error:  # memory that ran out, a log handler that raises: the thread is needed yet
            LOG.error("answers could not be handed in: %r", error)
