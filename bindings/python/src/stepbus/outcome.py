# SPDX-License-Identifier: MIT
"""What a handler can say besides a value, and what a step can end with besides a result.

``Retryable`` and ``Permanent`` (errors.py), ``Snooze`` and ``Checkpoint`` may be raised or returned, whichever reads
better; ``LATER`` is returned by handlers whose result somebody hands in with ``step.complete`` or ``step.fail``.
``StepFailed`` and its subclasses are what ``app.result`` raises.
"""
from __future__ import annotations

from typing import Any, Dict, Optional
from uuid import UUID

from .duration import Seconds, milliseconds
from .errors import InvalidArgument


class Snooze(Exception):
    """Not now: the step runs again after some seconds, and this attempt is not charged."""

    def __init__(self, delay: Seconds) -> None:
        super().__init__(delay)
        self.delay_ms = milliseconds(delay, "delay")


class Checkpoint(Exception):
    """So far: ends this attempt uncharged, and the step goes on from the cursor. Made by ``step.checkpoint``."""

    def __init__(self, cursor: Any, partial: Any = None, items: int = 0) -> None:
        super().__init__(cursor)
        if isinstance(items, bool) or not isinstance(items, int) or not 0 <= items < 1 << 63:
            raise InvalidArgument("items is %r: it must be a number of items" % (items,))
        self.cursor = cursor
        self.partial = partial
        self.items = items


class Later:
    """The type of LATER."""

    def __repr__(self) -> str:
        return "stepbus.LATER"


LATER = Later()


class StepFailed(Exception):
    """The step ended without a result: failed, cancelled or quarantined.

    ``backtrace`` is that of the last attempt's exception, ``attempts`` how many there were.
    """

    state = "failed"

    def __init__(self, message: str, step_id: UUID, *, error_type: str = "", **more: Any) -> None:
        super().__init__(message)
        self.message = message
        self.step_id = step_id
        self.error_type = error_type
        self.error_code: str = more.get("error_code", "")
        self.backtrace: str = more.get("backtrace", "")
        self.attempts: int = more.get("attempts", 0)
        self.retryable: bool = more.get("retryable", False)
        self.metadata: Optional[Dict[str, Any]] = more.get("metadata")

    def __str__(self) -> str:
        kind = "%s: " % self.error_type if self.error_type else ""
        return "step %s %s after %d attempt%s: %s%s" % (
            self.step_id, self.state, self.attempts, "" if self.attempts == 1 else "s", kind, self.message,
        )  # fmt: skip


class StepCancelled(StepFailed):
    state = "was cancelled"


class StepQuarantined(StepFailed):
    """Its attempts ended too many processes: somebody has to look at it."""

    state = "was quarantined"
