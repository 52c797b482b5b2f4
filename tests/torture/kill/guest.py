# SPDX-License-Identifier: MIT
"""A worker in Python among those of the kill loop; see guest.h, and behave.c for what its handlers do.

    guest.py check                                            whether it can run here
    guest.py honest|liar PROCESS CONFIG LOG PAGE PLACE        until it is killed, or told to end by SIGTERM

By its number it is a crew of threads with a sync handler, an event loop with a sync and an async one, or a loop that
polls. What it notes is what torture/history/history.h says; lines are written as observer.c does.
"""

import asyncio
import json
import logging
import mmap
import os
import random
import signal
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../bindings/python/src"))
import stepbus  # noqa: E402
from stepbus import _structs as s  # noqa: E402
from stepbus import _native  # noqa: E402

LANGUAGE = 1
LINE_LEN = 128
# history.h and behave.h
RELEASE, CHECKPOINT, FAIL_TWICE, FAIL_FOR_GOOD, SNOOZE, SLOW, CRASH = 3, 4, 5, 6, 7, 8, 9
CHECKPOINT_COUNT = 3
BEAT_HEARTBEAT, BEAT_CHECKPOINT, BEAT_RELEASE = 0, 1, 2
# point_place of points.h
ARMED_AT, COUNTDOWN_AT, SIGNAL_AT, PHASE_AT, CAUSE_AT = 0, 4, 12, 20, 24
BY_POINT, BY_HANDLER, SERVING = 1, 2, 1
RETURNABLE = (stepbus.Permanent, stepbus.Retryable, stepbus.Snooze, stepbus.Checkpoint)
UNSETTLED = (s.EBUSY, s.ENOMEM, s.ENOSPACE, s.ESTORE)
ALLOWED = UNSETTLED + (s.OK, s.ESTALE, s.ECANCELLED, s.EALREADY)
# What the binding logs when something happened that must not.
BAD_RECORDS = ("polling failed", "a worker thread ended", "answers could not", "the answer to step", "%d results could")


def now_us():
    return time.monotonic_ns() // 1000


def digest(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value >> 1 | 1


class Observer:
    def __init__(self, process, log):
        self._process = process
        self._file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def note(self, kind, a=0, b=0, c=0, d=0):
        head = "%s %d %d %d %d %d " % (kind, now_us(), self._process, a, b, c)
        line = head + str(d).zfill(LINE_LEN - 1 - len(head)) + "\n"
        if os.write(self._file, line.encode()) != LINE_LEN:
            os.abort()

    def fail(self, what, error):
        sys.stderr.write("process %d: %s: %r\n" % (self._process, what, error))
        self.note("X", getattr(error, "code", 0))


class Place:
    """What the nemesis arms, and where it reads why this process ended."""

    def __init__(self, page, at):
        with open(page, "r+b") as file:
            self._page = mmap.mmap(file.fileno(), 0)
        self._at = at
        self._records = os.path.join(os.path.dirname(page), "points")

    def blame(self, cause):
        struct.pack_into("@I", self._page, self._at + CAUSE_AT, cause)

    def enter(self, phase):
        struct.pack_into("@I", self._page, self._at + PHASE_AT, phase)

    def point(self, name):
        """A point at which this process may be told to die, or to stop."""
        if not struct.unpack_from("@I", self._page, self._at + ARMED_AT)[0]:
            return
        left = struct.unpack_from("@i", self._page, self._at + COUNTDOWN_AT)[0] - 1
        struct.pack_into("@i", self._page, self._at + COUNTDOWN_AT, left)
        if left > 0:
            return
        number = struct.unpack_from("@i", self._page, self._at + SIGNAL_AT)[0]
        struct.pack_into("@I", self._page, self._at + ARMED_AT, 0)
        file = os.open(self._records, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, b"%d handler python %s 1\n" % (number, name))
        os.close(file)
        if number == signal.SIGKILL:
            self.blame(BY_POINT)
        os.kill(os.getpid(), number)


class Attempt:
    """One attempt, from its first line on: what is to come of it."""

    def __init__(self, guest, step):
        self.guest, self.step = guest, step
        self.id, self.token = int(step.id.hex[:12], 16), step.token
        self.nonce = int(step.input[1:].split(b" ")[0])
        self.items = step.items
        self.is_ended = False
        self.lie = self.nonce // 10 % 4 if guest.is_liar else 0

    def note(self, kind, c=0, d=0):
        self.guest.observer.note(kind, self.id, self.token, c, d)

    def begin(self):
        point = self.guest.place.point
        self.note("S", self.nonce + (self.lie == 3), digest(self.step.input))
        cursor = self.step.cursor
        if cursor is not None or self.items:
            self.note("J", self.items)
            if cursor != "n%d c%d" % (self.nonce, self.items):
                self.guest.observer.fail("resume a step", ValueError(cursor))
        point(b"begun")
        self.beat()
        point(b"beaten")
        return self

    def beat(self):
        called_us = now_us()
        try:
            self.step.heartbeat()
            if self.nonce // 10 % 4 == 0:
                self.note("H", BEAT_HEARTBEAT, called_us)
        except stepbus.Stale:
            self.guest.observer.note("L")
        except (stepbus.Cancelled, stepbus.Already, stepbus.Busy):  # Busy: nobody knows yet, so it goes on
            pass

    def crash(self):
        """Ends the process in the ways of its language."""
        if self.nonce % 10 != CRASH or self.nonce // 10 % 10:
            return
        self.guest.place.blame(BY_HANDLER)
        way = (self.nonce // 100 + self.token) % 3
        if way == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if way == 1:
            os._exit(3)
        os.abort()

    def pause_s(self):
        return (5 + self.nonce // 10 % 10 * 3) / 1000 if self.nonce % 10 == SLOW else 0

    def decide(self):
        """The outcome, and what is handed in for it."""
        step, kind, is_even = self.step, self.nonce % 10, self.token % 2 == 0
        if kind == SNOOZE and is_even:
            return s.OUTCOME_SNOOZE, step.snooze(0.01)
        if kind == RELEASE and is_even:
            return s.OUTCOME_RELEASE, None
        if kind == CHECKPOINT and self.items < CHECKPOINT_COUNT:
            self.items += 1
            return s.OUTCOME_CHECKPOINT, step.checkpoint("n%d c%d" % (self.nonce, self.items), None, self.items)
        if kind == FAIL_FOR_GOOD:
            return s.OUTCOME_FAILURE, stepbus.Permanent("as it was told to")
        if kind == FAIL_TWICE and step.attempt <= 2:
            kinds = (RuntimeError, SystemExit, stepbus.Retryable)
            return s.OUTCOME_FAILURE, kinds[self.nonce // 10 % 3]("as it was told to")
        return s.OUTCOME_SUCCESS, b"n%d t%d" % (self.nonce + (self.lie == 2), self.token)

    def end(self):
        """Notes the outcome, before it is handed in."""
        self.guest.place.point(b"working")
        self.crash()
        self.outcome, self.value = self.decide()
        self.guest.place.point(b"decided")
        self.note("E", self.outcome, self.items if self.outcome == s.OUTCOME_CHECKPOINT else 0)
        self.is_ended = True
        self.guest.place.point(b"ended")
        if self.lie == 1 and self.outcome == s.OUTCOME_SUCCESS:
            self.note("A", s.OK)
            self.outcome, self.value = s.OUTCOME_FAILURE, RuntimeError("not done, whatever was noted")

    def settled(self, status, called_us):
        """Notes an answer; whether it is one for good."""
        self.note("A", status)
        if status == s.ESTALE:
            self.guest.observer.note("L")
        self.guest.place.point(b"answered")
        if status == s.OK and self.outcome in (s.OUTCOME_RELEASE, s.OUTCOME_CHECKPOINT):
            self.note("H", BEAT_RELEASE if self.outcome == s.OUTCOME_RELEASE else BEAT_CHECKPOINT, called_us)
        if status not in ALLOWED:
            self.guest.observer.fail("answer a step", status)
        return status not in UNSETTLED

    def answer(self):
        """Hands the value in by itself, and hears what comes of it."""
        while True:
            called_us, status = now_us(), s.OK
            try:
                if self.outcome == s.OUTCOME_RELEASE:
                    self.step.release()
                elif self.outcome == s.OUTCOME_FAILURE:
                    self.step.fail(self.value)
                else:
                    self.step.complete(self.value)
            except stepbus.StepbusError as error:
                status = error.code
            if self.settled(status, called_us):
                return
            time.sleep(0.01)

    def is_answered_alone(self):
        return self.outcome == s.OUTCOME_RELEASE or self.nonce // 10 % 3 == 0 and self.outcome == s.OUTCOME_SUCCESS

    def give(self):
        """Returns or raises it, as handlers do."""
        if isinstance(self.value, RETURNABLE) and self.token % 3 == 0:
            return self.value
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


class Guest(logging.Handler):
    def __init__(self, manner, process, config, log, page, place):
        super().__init__()
        self.is_liar = manner == "liar"
        self.process = int(process)
        self.random = random.Random(self.process)
        self.observer = Observer(self.process, log)
        self.place = Place(page, int(place))
        self.app = stepbus.Stepbus(json.loads(config))
        self.is_told_to_end = False
        logger = logging.getLogger("stepbus")
        logger.addHandler(self)
        logger.propagate = False

    def emit(self, record):
        if "or its lease was lost" in record.getMessage():
            self.observer.note("L")
        if str(record.msg).startswith(BAD_RECORDS):
            self.observer.fail("the binding", record.getMessage())

    def settings(self, *queues):
        strategy = self.random.choice(("priority", "fifo", "lifo", "weighted_random"))
        return {"id": "python-%d" % self.process, "queues": list(queues), "strategy": strategy,
                "block_size": self.random.choice((4, 64, 256))}  # fmt: skip

    # Handlers

    def work(self, step):
        attempt = Attempt(self, step).begin()
        time.sleep(attempt.pause_s())
        attempt.end()
        if attempt.is_answered_alone():
            return attempt.answer()
        return attempt.give()

    async def work_async(self, step):
        attempt = Attempt(self, step).begin()
        try:
            await asyncio.sleep(attempt.pause_s())
            attempt.end()
            if attempt.is_answered_alone():
                return await asyncio.to_thread(attempt.answer)
            return attempt.give()
        except asyncio.CancelledError:
            if not attempt.is_ended:
                attempt.note("E", s.OUTCOME_RELEASE)
            raise

    # Ways to work

    def tell_ready(self):
        self.observer.note("R", LANGUAGE)
        self.place.enter(SERVING)

    def run_threads(self):
        self.app.step("work")(lambda step, _: self.work(step))
        self.tell_ready()
        self.app.run(threads=self.random.randint(1, 3), **self.settings("default"))

    def run_loop(self):
        async def pulled(step, _):
            return await self.work_async(step)

        self.app.step("work")(lambda step, _: self.work(step))
        self.app.step("pulled")(pulled)
        self.tell_ready()
        self.app.run(threads=self.random.randint(1, 3), **self.settings("default", "pulled"))

    def tell_to_end(self, *_):
        self.is_told_to_end = True

    def run_poll(self):
        signal.signal(signal.SIGTERM, self.tell_to_end)
        self.app.step("pulled")(lambda step, _: None)
        worker = self.app.worker(**self.settings("pulled"))
        self.tell_ready()
        while not self.is_told_to_end:
            try:
                steps = worker.poll(self.random.randint(1, 8), timeout=0.05)
            except stepbus.Busy:
                continue
            self.work_batch(worker, [Attempt(self, step).begin() for step in steps])

    def work_batch(self, worker, attempts):
        for attempt in attempts:
            time.sleep(attempt.pause_s())
            attempt.end()
        is_alone = self.random.randrange(3) == 0
        alone = [each for each in attempts if is_alone or each.outcome == s.OUTCOME_RELEASE]
        together = [each for each in attempts if each not in alone]
        called_us = now_us()
        for each, error in zip(together, worker.complete([(each.step, each.value) for each in together])):
            if not each.settled(error.code if error else s.OK, called_us):
                each.answer()
        for each in alone:
            each.answer()

    def play(self):
        self.app.open()
        (self.run_threads, self.run_loop, self.run_poll)[self.process % 3]()
        if self.process % 2 == 0:
            self.app.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        _native.lib.stepbus_version
        sys.exit(0)
    guest = Guest(*sys.argv[1:])
    try:
        guest.play()
    except BaseException as error:
        guest.observer.fail("play", error)
        raise
