# SPDX-License-Identifier: MIT
"""Runs one scenario of scenarios.py over and over, each time with another allocation that fails: of the C libraries
(kind "memory"), or of the interpreter itself, whose objects the binding is made of (kind "objects"). Prints what it
finds as lines of JSON for starve.py: {"at": N} before each point (so that a crash has a place), {"finding": ...}, and
{"end": ...}.
"""
from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import shutil
import sys
import tempfile
import threading
import traceback

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "bindings/python/src"))

import stepbus  # noqa: E402
from stepbus import _native  # noqa: E402

LIBRARIES = b"libstepbus,libsqlite3,libevent,libcjson"
#: Memory that lacks for good is given back after so long: what waits for it must then go on.
HUNGRY_S = 0.25
#: And that of the interpreter after so many refusals.
STICKY_COUNT = 64
LIMIT_S = 10.0
WARM_ROUNDS = 3

preload = ctypes.CDLL(None)
for name, result in (("starve_disarm", ctypes.c_uint64), ("starve_failed", ctypes.c_uint64), ("starve_untrack", ctypes.c_uint64)):
    getattr(preload, name).restype = result


class Memory:
    """Of the C libraries, on all threads."""

    documented = (stepbus.StepbusError,)
    codes = ("STEPBUS_ENOMEM", "STEPBUS_ESYSTEM", "STEPBUS_ESTORE")

    def arm(self, n: int, is_sticky: bool) -> None:
        preload.starve_arm(0, ctypes.c_uint64(n), int(is_sticky))

    def disarm(self) -> "tuple[int, int]":
        failed = ctypes.c_uint64()
        asked = preload.starve_disarm(ctypes.byref(failed))
        return asked, failed.value

    def is_documented(self, error: BaseException) -> bool:
        return isinstance(error, stepbus.StepbusError) and error.name in self.codes


class Objects:
    """Of the interpreter. It cannot count them: points go on until one is behind the last allocation."""

    def __init__(self) -> None:
        import _testcapi

        self.api = _testcapi

    def arm(self, n: int, is_sticky: bool) -> None:
        if n > 0:
            # Not for good: without any, CPython 3.11 unwinds an exception again and again, and never ends.
            self.api.set_nomemory(n, n + (STICKY_COUNT if is_sticky else 1))

    def disarm(self) -> "tuple[int, int]":
        self.api.remove_mem_hooks()
        return 0, 1

    def is_documented(self, error: BaseException) -> bool:
        # What ctypes makes of one that came while it converted an argument.
        if isinstance(error.__cause__, MemoryError):
            return True
        return isinstance(error, MemoryError) or isinstance(error, ctypes.ArgumentError) and "MemoryError" in str(error)


class Point:
    """What happened at one."""

    def __init__(self) -> None:
        self.breach = None
        self.error = None
        self.value = None
        self.asked = self.failed = self.left = 0
        self.is_late = False

    def find(self, what: str) -> None:
        self.breach = self.breach or what


called = set()
state = {"armed": False, "is_object": False, "point": Point()}


def note_calls() -> None:
    """Which functions of the library are called while memory lacks."""
    real = _native.Library.__getattr__

    def note(self, name):
        function = real(self, name)

        def call(*arguments):
            if state["armed"]:
                called.add(name)
            return function(*arguments)

        call.function = function
        setattr(self, name, call)
        return call

    _native.Library.__getattr__ = note


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))[-600:]


def on_unraisable(unraisable) -> None:
    """What ctypes cannot hand on from a callback, and garbage collection from a finalizer, is told here."""
    if state["is_object"] and isinstance(unraisable.exc_value or unraisable.exc_type(), MemoryError):
        return
    state["point"].find("an exception that nobody hears of: %r in %r" % (unraisable.exc_value, unraisable.object))


def on_thread(arguments) -> None:
    state["point"].find("a thread died: %s" % told(arguments.exc_value))


class Box:
    def __init__(self, scenario, kind, is_sticky, directory):
        self.scenario = scenario
        self.kind = kind
        self.is_sticky = is_sticky
        self.directory = directory

    def starve(self, point, world, n):
        """The part that must bear it. Memory that lacks for good comes back by and by, in a thread's hands."""
        timer = threading.Timer(HUNGRY_S, lambda: self.kind.disarm()) if self.is_sticky and isinstance(self.kind, Memory) else None
        if timer:
            timer.start()
        self.kind.arm(n, self.is_sticky)
        state["armed"] = True
        try:
            point.value = self.scenario.act(world)
        except BaseException as error:
            point.error = error
        finally:
            state["armed"] = False
            point.asked, point.failed = self.kind.disarm()
        if timer:
            timer.cancel()
            timer.join()

    def judge(self, point):
        error = point.error
        if error is None:
            return
        if point.failed == 0:
            point.find("it fails though nothing was refused: " + told(error))
        if not self.kind.is_documented(error):
            point.find("an error that is not documented: " + told(error))
        elif isinstance(error, stepbus.StepbusError) and not str(error):
            point.find("an error without a message")

    def again(self, point, world):
        """The same with memory."""
        try:
            value = self.scenario.act(world)
        except BaseException as error:
            point.find("once more, with memory: " + told(error))
        else:
            self.scenario.check(world, value, point.find)

    def point(self, n):
        point = state["point"] = Point()
        folder = tempfile.mkdtemp(prefix="p", dir=self.directory)
        preload.starve_track()
        world = self.scenario(folder)
        try:
            world.is_object = state["is_object"]
            world.begin()
            self.starve(point, world, n)
            self.judge(point)
            if point.error is None:
                world.check(world, point.value, point.find)
            elif not self.scenario.is_once:
                self.again(point, world)
            world.error = point.error
            point.error = point.error and True
            world.end(point.find)
        except BaseException as error:
            point.find("its end: " + told(error))
        del world
        gc.collect()
        point.left = preload.starve_untrack()
        shutil.rmtree(folder, ignore_errors=True)
        return point

    def checked(self, n, left):
        """A leak is what stays more than once. Without memory for a call, nothing can be given back either."""
        point = self.point(n)
        if self.is_sticky and state["is_object"]:
            return point
        for _ in range(2):
            if point.breach is not None or point.left <= left:
                break
            point = self.point(n)
        if point.breach is None and point.left > left:
            point.find("%d blocks were not given back" % (point.left - left))
        return point

    def warm(self):
        for _ in range(WARM_ROUNDS):
            point = self.point(0)
            if point.breach is not None:
                raise RuntimeError("without any failure: " + point.breach)
        return point.asked, point.left


def stride_for(asked: int, wanted: str) -> int:
    if wanted.startswith("~"):
        return max(1, -(-asked // int(wanted[1:])))
    return int(wanted)


def say(line) -> None:
    os.write(1, (json.dumps(line) + "\n").encode())


def main(name, kind, mode, wanted, first="1"):
    import scenarios

    directory = tempfile.mkdtemp(prefix="python-", dir=os.environ.get("STARVE_DIRECTORY"))
    logging.disable(logging.CRITICAL)
    sys.unraisablehook = on_unraisable
    threading.excepthook = on_thread
    note_calls()
    _native.lib.load()
    if preload.starve_watch(LIBRARIES) < 4:
        raise RuntimeError("not all are loaded: %s" % LIBRARIES)
    state["is_object"] = kind == "objects"
    box = Box(scenarios.ALL[name], {"memory": Memory, "objects": Objects}[kind](), mode == "sticky", directory)
    asked, left = box.warm()
    if kind == "objects":
        asked = box.scenario.objects_max
    stride = stride_for(asked, wanted)
    sums = {"points": 0, "succeeded": 0, "refused": 0}
    for n in range(int(first), asked + 1, stride):
        say({"at": n, "stride": stride})
        point = box.checked(n, left)
        sums["points"] += 1
        sums["succeeded" if point.error is None else "refused"] += 1
        if point.breach is not None:
            say({"finding": point.breach, "at": n})
    shutil.rmtree(directory, ignore_errors=True)
    say({"end": {**sums, "asked": asked, "called": sorted(called)}})


if sys.argv[1] == "list":
    import scenarios

    for name, scenario in scenarios.ALL.items():
        print(name, ",".join(scenario.kinds))
else:
    try:
        main(*sys.argv[1:])
    except BaseException as error:
        say({"finding": "the scenario itself: " + told(error), "at": 0})
        sys.exit(1)
