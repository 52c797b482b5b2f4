# SPDX-License-Identifier: MIT
"""What can be asked of an app's steps and queues, and changed about them: one half of Stepbus."""
from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple
from uuid import UUID

from .duration import Seconds, timeout_ms
from .engine import SLICE_MS, Engine
from .errors import TimedOut
from .handle import StepId, id_bytes


class Asking:
    """All of it may be called on any thread."""

    @property
    def engine(self) -> Engine:
        """The open engine; Stepbus opens it."""
        raise NotImplementedError

    def result(self, step: StepId, timeout: Optional[Seconds] = None) -> Any:
        """Waits for a step and gives its result: JSON decoded, anything else as bytes.

        Raises StepFailed (StepCancelled, StepQuarantined) where it ended without one, and TimedOut, a TimeoutError,
        where it is not final in time. 0 only looks.
        """
        step_id = id_bytes(step)
        limit = timeout_ms(timeout)
        end = time.monotonic() + limit / 1000
        while True:
            left = SLICE_MS if limit < 0 else max(0, int((end - time.monotonic()) * 1000))
            found = self.engine.outcome(step_id, min(left, SLICE_MS))
            if found is not None:
                return found.value
            if limit >= 0 and left <= SLICE_MS:
                raise TimedOut("step %s is not final after %.3f s" % (UUID(bytes=step_id), limit / 1000))

    def metadata(self, step: StepId) -> Optional[Dict[str, Any]]:
        """The metadata of a step that succeeded; None where there is none, or it is not final."""
        found = self.engine.outcome(id_bytes(step), 0)
        return None if found is None else found.metadata

    def cancel(self, step: StepId) -> None:
        """Cancels a step that is not final (else Already). A handler that runs it is told."""
        self.engine.cancel(step)

    def redrive(self, step: StepId) -> None:
        """Lets a failed, cancelled or quarantined step run again."""
        self.engine.redrive(step)

    def redrive_all(self, **query: Any) -> int:
        """Redrives what matches, and tells how many: ``redrive_all(state="failed", queue="mail")``."""
        return self.engine.redrive_all(_query(query))

    def info(self, step: StepId) -> Dict[str, Any]:
        """All that is known of a step."""
        return self.engine.info(step)

    def attempts(self, step: StepId) -> List[Dict[str, Any]]:
        """What became of each attempt, tracebacks included."""
        return self.engine.attempts(step)

    def steps(self, **query: Any) -> Iterator[Dict[str, Any]]:
        """The steps that match, page by page: state, queue, handler, tag, correlation_id, created_from, …

        limit is for all pages together; without it all are given.
        """
        left: Optional[int] = query.pop("limit", None)
        page: Mapping[str, Any] = {"cursor": query.pop("cursor", None)}
        while left is None or left > 0:
            limit = 1000 if left is None else min(left, 1000)
            page = self.engine.page(_query({**query, "limit": limit, "cursor": page["cursor"]}))
            yield from page["steps"]
            left = None if left is None else left - len(page["steps"])
            if page["cursor"] is None:
                return

    def count(self, **query: Any) -> int:
        """How many steps match."""
        return self.engine.count(_query(query))

    def stats(self) -> Dict[str, Any]:
        """The state of the engine."""
        found: Dict[str, Any] = self.engine.ask("stepbus_engine_stats")
        return found

    def workers(self) -> List[Dict[str, Any]]:
        """The workers of all processes."""
        found: List[Dict[str, Any]] = self.engine.ask("stepbus_worker_list")
        return found

    # Queues

    def queues(self) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = self.engine.ask("stepbus_queue_list")
        return found

    def set_queue(self, name: str, **settings: Any) -> None:
        """concurrency_max, key_concurrency_max, rate_count, rate_period_ms, paused; the rest stays."""
        self.engine.run("stepbus_queue_set", *pair(name), *pair(json.dumps(settings)))

    def pause(self, queue: str) -> None:
        """Lets no step of a queue be claimed any more, by any process."""
        self.engine.run("stepbus_queue_pause", *pair(queue))

    def resume(self, queue: str) -> None:
        self.engine.run("stepbus_queue_resume", *pair(queue))


def pair(text: str) -> Tuple[bytes, int]:
    data = text.encode()
    return data, len(data)


def _query(query: Mapping[str, Any]) -> Dict[str, Any]:
    def plain(value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else value

    return {name: plain(value) for name, value in query.items() if value is not None}
