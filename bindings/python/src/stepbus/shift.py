# SPDX-License-Identifier: MIT
"""One run of an app's worker, until somebody asks it to stop. It is known to the app before its first step runs."""
from __future__ import annotations

import asyncio
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any, Dict, Optional, Tuple

from .crew import Crew
from .duration import Seconds, milliseconds
from .engine import Engine
from .errands import Errands
from .errors import Reentrant
from .functions import Functions
from .logs import WORKER as LOG
from .serving import Serving
from .signals import Signals
from .worker import Worker

TICK_S = 0.5
ANSWER_SLICE_S = 0.1


def seconds(value: Optional[Seconds]) -> Optional[float]:
    return None if value is None else milliseconds(value, "drain_timeout") / 1000


class Shift:
    """Steps run on threads; ``wait`` is where the thread that called ``app.run`` stays."""

    def __init__(self, engine: Engine, functions: Functions, settings: Dict[str, Any], threads: int) -> None:
        self._wishes: "SimpleQueue[str]" = SimpleQueue()
        self._drain_timeout: Optional[float] = None
        self.worker = Worker(engine, settings)
        self._crew = Crew(self.worker, functions, threads)
        self.ended = threading.Event()

    def stop(self) -> None:
        """Asks it to stop; from signal handlers too, so without a lock."""
        self._wishes.put("stop")

    def refuse_inside(self) -> None:
        if threading.current_thread() in self._crew.threads:
            raise Reentrant("a handler cannot wait for its own worker to stop")

    def wait(self, drain_timeout: Optional[float]) -> None:
        """Starts it, and returns when it has ended."""
        try:
            self._crew.start()
            LOG.info("worker started with %d threads", len(self._crew.threads))
            while self._crew.is_alive():
                try:
                    self._wishes.get(timeout=TICK_S)
                    break
                except Empty:
                    self._crew.rebalance()
        finally:
            self._end(drain_timeout)
        if self._crew.error is not None:
            raise self._crew.error

    def _end(self, drain_timeout: Optional[float]) -> None:
        LOG.info("worker stops: it finishes what runs")
        end = None if drain_timeout is None else time.monotonic() + drain_timeout
        late = self._crew.end(drain_timeout)
        if not late:
            late = _await_answers(self.worker, self._crew.lost, None if end is None else end - time.monotonic())
        if late:
            LOG.warning("%d steps still ran when the time to stop was over: they go back", late)
        self.worker.close()
        self.ended.set()
        LOG.info("worker stopped")


class LoopShift:
    """The same on an event loop."""

    def __init__(self, worker: Worker, functions: Functions, counts: Tuple[int, int], errands: Errands) -> None:
        self.worker = worker
        self._errands = errands
        self._loop = asyncio.get_running_loop()
        self._serving = Serving(worker, functions, counts, errands)
        self.ended = threading.Event()

    def stop(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._serving.stop)
        except RuntimeError:
            pass  # the loop is closed

    def refuse_inside(self) -> None:
        if threading.current_thread() in self._serving.threads or _running_loop() is self._loop:
            raise Reentrant("this would wait for a worker that needs this thread to stop: await app.aclose()")

    async def wait(self, drain_timeout: Optional[float], signals: bool) -> None:
        with Signals(self.stop, signals):
            self._serving.start()
            LOG.info("worker started on the event loop")
            try:
                await self._serving.stopped.wait()
            except asyncio.CancelledError:
                self._serving.stop()
                self._serving.give_back()
                raise
            finally:
                await asyncio.shield(self._end(drain_timeout))
        if self._serving.error is not None:
            raise self._serving.error

    async def _end(self, drain_timeout: Optional[float]) -> None:
        LOG.info("worker stops: it finishes what runs")
        end = None if drain_timeout is None else time.monotonic() + drain_timeout
        late = await self._serving.end(drain_timeout)
        if not late:
            left = None if end is None else end - time.monotonic()
            late = await self._errands.run(_await_answers, self.worker, self._serving.lost, left)
        if late:
            LOG.warning("%d steps still ran when the time to stop was over: they go back", late)
        await self._errands.run(self.worker.close)
        self.ended.set()
        LOG.info("worker stopped")


def _await_answers(worker: Worker, lost: int, timeout: Optional[float]) -> int:
    """Waits for the answers that handlers have left to others, and tells how many did not come in time.

    lost is for how many steps nobody can answer any more.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while len(worker.held()) > lost and not worker.gate.is_closed():
        left = ANSWER_SLICE_S if end is None else end - time.monotonic()
        if left <= 0:
            break
        worker.stop(min(left, ANSWER_SLICE_S))
    return max(0, len(worker.held()) - lost)


def _running_loop() -> Optional[asyncio.AbstractEventLoop]:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
