# SPDX-License-Identifier: MIT
"""Hands answers in, until the library has taken or refused each one, and logs what became of them.

Any thread may add answers and settle; one call of the library is made at a time, with all that came together until
then. An answer that the store could not take is kept and sent again, unchanged.
"""
from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Deque, List, Sequence

from . import answer
from . import _structs as s
from .answer import Answer
from .errors import NAMES
from .logs import WORKER as LOG
from .logs import of_step
from .worker import SEND_AGAIN, Worker

#: At a time; packing them holds the GIL.
COUNT_MAX = 256
#: For how long the last answers are tried again where the store does not take them.
LAST_TRIES_S = 5.0

_REFUSALS = {
    s.ESTALE: "a newer attempt of it exists, or its lease was lost",
    s.ETIMEDOUT: "its time was over before",
    s.ECANCELLED: "it was cancelled",
    s.EALREADY: "it was completed before, with other content",
    s.ENOTFOUND: "there is no such step any more",
    s.ESHUTDOWN: "the engine is closed; it runs again when its lease has run out",
    s.EFORKED: "it belongs to the parent of this process",
}


class Settling:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._waiting: Deque[Answer] = deque()
        self._not_before = 0.0
        self._pause = 0.0
        #: For the hot loop: adds one answer.
        self.add = self._waiting.append

    def __len__(self) -> int:
        return len(self._waiting)

    def wait_s(self) -> float:
        """How long to wait before the store is worth another try; 0: now."""
        return max(0.0, self._not_before - time.monotonic())

    def settle_rest(self, seconds: float) -> int:
        """Settles for so long until nothing waits, and tells how many answers could not be kept."""
        end = time.monotonic() + seconds
        self.settle()
        while self._waiting and time.monotonic() < end:
            time.sleep(min(self.wait_s(), 0.1) or 0.001)
            self.settle()
        return len(self._waiting)

    def settle(self) -> int:
        """Hands in what waits, and tells how many answers were taken or refused."""
        count = 0
        with self._lock:
            while self._waiting and not self.wait_s():
                answers = self._take()
                count += len(answers) - self._send(answers)
        return count

    def _take(self) -> List[Answer]:
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(len(waiting), COUNT_MAX))]

    def _send(self, answers: Sequence[Answer]) -> int:
        """Sends answers, and gives back how many have to be sent again."""
        try:
            statuses = self._worker.submit(answers)
        except BaseException:
            self._waiting.extendleft(reversed(answers))
            self._back_off(len(answers), s.ENOMEM)
            raise
        count = 0
        if statuses is None:
            self._pause = 0.0
        else:
            count = self._keep(answers, statuses)
        # Last, since a filter or handler of the program's may raise.
        if LOG.isEnabledFor(logging.DEBUG) or any(one[5] for one in answers):
            for one, status in zip(answers, statuses or [s.OK] * len(answers)):
                if status == s.OK:
                    _log(one)
        return count

    def _keep(self, answers: Sequence[Answer], statuses: Sequence[int]) -> int:
        again = [
            self._instead(one) if status == s.EINVAL else one
            for one, status in zip(answers, statuses)
            if status in SEND_AGAIN or status == s.EINVAL and one[1] != s.OUTCOME_RELEASE
        ]
        self._waiting.extendleft(reversed(again))
        for one, status in zip(answers, statuses):
            if status not in SEND_AGAIN and status not in (s.OK, s.EINVAL):
                _log_refusal(one, status)
        if any(status in SEND_AGAIN for status in statuses):
            self._back_off(len(again), next(status for status in statuses if status in SEND_AGAIN))
        return len(again)

    def _instead(self, one: Answer) -> Answer:
        """A failure in place of an answer that the library finds invalid."""
        step = one[0]
        why = self._worker.explain(one)
        LOG.error("the answer to step %s is not valid: %s", step.id, why, extra=of_step(step))
        if one[1] == s.OUTCOME_FAILURE:
            return answer.released(step)
        return answer.failure(step, one[4], "bad_result", why)

    def _back_off(self, count: int, status: int) -> None:
        if not self._pause:
            LOG.warning("%d results wait, since the store answered %s", count, NAMES.get(status, status))
        self._pause = min(1.0, self._pause * 2 or 0.02)
        self._not_before = time.monotonic() + self._pause


def _log_refusal(one: Answer, status: int) -> None:
    step = one[0]
    level = logging.INFO if status == s.ECANCELLED else logging.WARNING
    why = _REFUSALS.get(status, NAMES.get(status, str(status)))
    LOG.log(level, "the result of step %s (%s) was refused: %s", step.id, step.handler_name, why, extra=of_step(step))


def _log(one: Answer) -> None:
    step, outcome, _, _, us, said = one
    if said is None or outcome in (s.OUTCOME_SUCCESS, s.OUTCOME_CHECKPOINT, s.OUTCOME_RELEASE):
        LOG.debug("step %s (%s): %s in %d us", step.id, step.handler_name, _WORDS[outcome], us, extra=of_step(step))
    elif outcome == s.OUTCOME_SNOOZE:
        seconds = said.numbers["retry_after_ms"] / 1000
        LOG.info("step %s (%s) snoozes for %.3f s", step.id, step.handler_name, seconds, extra=of_step(step))
    else:
        is_last = not said.is_retryable or step.attempt >= step.attempts_max
        text = "step %s (%s) failed%s at attempt %d of %d: %s: %s"
        LOG.log(
            logging.ERROR if is_last else logging.INFO, text, step.id, step.handler_name,
            " for good" if is_last else "", step.attempt, step.attempts_max, said.text("error_type"),
            said.text("error_message"), extra=of_step(step, error_type=said.text("error_type")),
        )  # fmt: skip


_WORDS = {s.OUTCOME_SUCCESS: "completed", s.OUTCOME_CHECKPOINT: "checkpoint", s.OUTCOME_RELEASE: "given back"}
