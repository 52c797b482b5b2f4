# SPDX-License-Identifier: MIT
"""Waits for steps on behalf of event loops, on one thread however many there are.

The library wakes only who waits inside it, so for one step the thread waits there; of several it looks after each in
turn, every few milliseconds.
"""
from __future__ import annotations

import asyncio
import threading
from typing import Any, Dict, List, Optional, Tuple

from .engine import SLICE_MS, Engine
from .errands import settle

LOOK_S = 0.005

Waiting = Tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class Waiter:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._waiting: Dict[bytes, List[Waiting]] = {}
        self._changed = threading.Event()
        self._thread: Optional[threading.Thread] = None

    async def wait(self, step_id: bytes) -> Any:
        loop = asyncio.get_running_loop()
        future: "asyncio.Future[Any]" = loop.create_future()
        with self._lock:
            self._waiting.setdefault(step_id, []).append((loop, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stepbus-waiter", daemon=True)
                self._thread.start()
        self._changed.set()
        return await future

    def _run(self) -> None:
        while True:
            steps = self._wanted()
            if steps is None:
                return
            found = [step for step in steps if self._look(step, SLICE_MS // 4 if len(steps) == 1 else 0)]
            if not found and len(steps) > 1:
                self._changed.wait(LOOK_S)
                self._changed.clear()

    def _wanted(self) -> Optional[List[bytes]]:
        """The steps that somebody still waits for; None ends the thread."""
        with self._lock:
            for step_id, waiting in list(self._waiting.items()):
                waiting[:] = [one for one in waiting if not one[1].done() and not one[0].is_closed()]
                if not waiting:
                    del self._waiting[step_id]
            if not self._waiting:
                self._thread = None
                return None
            return list(self._waiting)

    def _look(self, step_id: bytes, wait_ms: int) -> bool:
        value, error = None, None
        try:
            found = self._engine.outcome(step_id, wait_ms)
            if found is None:
                return False
            value = found.value
        except BaseException as caught:
            error = caught
        with self._lock:
            waiting = self._waiting.pop(step_id, [])
        for loop, future in waiting:
            try:
                loop.call_soon_threadsafe(settle, future, value, error)
            except RuntimeError:
                pass  # the loop is closed
        return True
