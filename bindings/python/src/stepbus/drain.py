# SPDX-License-Identifier: MIT
"""Runs what is due now, in the calling thread and one step after another, until nothing is: what ``app.drain`` does."""
from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional

from .engine import Engine
from .errors import Reentrant
from .execution import Execution
from .functions import Functions
from .logs import WORKER as LOG
from .settling import LAST_TRIES_S, Settling
from .step import Step
from .worker import POLL_COUNT_MAX, Worker

WAIT_MS = 10
#: Steps that are due but come to nobody (a rate, a limit that others use up) are waited for so many times.
QUIET_COUNT_MAX = 50


class Drain:
    def __init__(self, engine: Engine, functions: Functions, settings: Dict[str, Any]) -> None:
        self._engine = engine
        self._functions = functions
        self._execution = Execution(functions)
        self.worker = Worker(engine, settings)

    def run(self, count_max: Optional[int]) -> int:
        """Runs steps until none is due or count_max were run, and tells how many it was."""
        if self._functions.has_async() and is_on_loop():
            raise Reentrant("async handlers cannot run on a thread whose event loop runs: await app.adrain()")
        self._engine.run("stepbus_engine_wake")
        settling = Settling(self.worker)
        try:
            return self._run_due(count_max, settling)
        finally:
            lost = settling.settle_rest(LAST_TRIES_S)
            if lost:
                LOG.error("%d results could not be kept: these steps run again once the app is closed", lost)

    def _run_due(self, count_max: Optional[int], settling: Settling) -> int:
        count = quiet = 0
        while count_max is None or count < count_max:
            room = POLL_COUNT_MAX if count_max is None else min(count_max - count, POLL_COUNT_MAX)
            steps = self.worker.poll_once(room, WAIT_MS)
            self._run_all(steps, settling)
            count += len(steps)
            quiet = 0 if steps else quiet + 1
            if not steps and (quiet > QUIET_COUNT_MAX or not self._is_due()):
                break
        return count

    def _run_all(self, steps: List[Step], settling: Settling) -> None:
        try:
            for step in steps:
                made = self._execution.run(step)
                if made is not None:
                    settling.add(made)
                if self._execution.interrupt is not None:
                    raise self._execution.interrupt
        finally:
            settling.settle()

    def _is_due(self) -> bool:
        paused = [queue["name"] for queue in self._engine.ask("stepbus_queue_list") if queue.get("paused_at")]
        if any(self._has_ready(name, paused) or self._has_due(name) for name in self._names()):
            return True
        return any(_time(entry["next_at"]) <= self._now() for entry in self._crons())

    def _crons(self) -> List[Dict[str, Any]]:
        """The cron entries that are about to fire steps of ours."""
        names = self._names()
        return [
            entry
            for entry in self._engine.ask("stepbus_cron_list")
            if entry["next_at"] and not entry["is_paused"] and entry["step"]["handler"] in names
        ]

    def _now(self) -> datetime:
        clock = self._engine.clock
        return clock.now if clock is not None else datetime.now(timezone.utc)

    def _names(self) -> List[str]:
        return sorted({function.name for function in self._functions.all()})

    def _has_ready(self, name: str, paused: List[str]) -> bool:
        query = {"handler": name, "state": "ready"}
        count = self._engine.count(query)
        for queue in paused if count else ():
            count -= self._engine.count({**query, "queue": queue})
        return count > 0

    def _has_due(self, name: str) -> bool:
        query: Dict[str, Any] = {"handler": name, "state": "scheduled", "limit": 1000, "order": "oldest"}
        now = self._now()
        return any(_time(step["due_at"]) <= now for step in self._engine.page(query)["steps"])


def is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
        return True
    except RuntimeError:
        return False


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
