# SPDX-License-Identifier: MIT
"""A thread that does for an event loop what would hold it up: opening, stopping and closing.

Not the loop's executor, which refuses work as soon as the interpreter begins to exit, when stopping is what is wanted.
"""
from __future__ import annotations

import asyncio
import threading
from queue import SimpleQueue
from typing import Any, Callable, Optional, Tuple

Errand = Tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Errands:
    """Made on the loop's thread; ``end`` lets its thread go."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: "SimpleQueue[Optional[Errand]]" = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        future: "asyncio.Future[Any]" = self._loop.create_future()
        self._queue.put((lambda: function(*arguments), future))
        return await future

    def end(self) -> None:
        self._queue.put(None)

    def _run(self) -> None:
        while True:
            errand = self._queue.get()
            if errand is None:
                return
            function, future = errand
            value, error = None, None
            try:
                value = function()
            except BaseException as caught:
                error = caught
            try:
                self._loop.call_soon_threadsafe(settle, future, value, error)
            except RuntimeError:
                return  # the loop is closed


def settle(future: "asyncio.Future[Any]", value: Any, error: Optional[BaseException]) -> None:
    """Ends a future that somebody may have cancelled."""
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
