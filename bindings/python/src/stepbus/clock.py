# SPDX-License-Identifier: MIT
"""A clock for tests, which stands still until it is told to go on."""
from __future__ import annotations

import ctypes
import weakref
from ctypes import byref
from datetime import datetime, timedelta, timezone
from typing import Callable, List, Optional

from . import _native
from . import _structs as s
from ._native import lib
from .duration import Seconds, microseconds, milliseconds

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Clock:
    """``Stepbus("memory", clock=Clock())`` goes by it; ``clock.advance(60)`` makes due what is due then."""

    def __init__(self, now: datetime = START) -> None:
        out = ctypes.c_void_p()
        _native.call("stepbus_clock_new", microseconds(now, "now"), byref(out))
        self._handle = out.value
        self._now = now
        self._wakers: List[weakref.WeakMethod[Callable[[], None]]] = []
        # The engine that was lent it holds it, so it is freed after that.
        self._finalizer = weakref.finalize(self, lib.stepbus_clock_free, self._handle)
        self._finalizer.atexit = False

    @property
    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: Optional[Seconds] = None, **units: float) -> None:
        """Goes on by seconds, a timedelta, or timedelta's words: ``advance(hours=1)``."""
        step: Seconds = timedelta(**units) if seconds is None else seconds
        ms = milliseconds(step, "advance")
        _native.call("stepbus_clock_advance", self._handle, ms)
        self._now += timedelta(milliseconds=ms)
        for waker in self._wakers:
            wake = waker()
            if wake is not None:
                wake()

    def lend(self, host: s.Host) -> None:
        _native.call("stepbus_clock_lend", self._handle, byref(host))

    def on_advance(self, wake: Callable[[], None]) -> None:
        """Calls a bound method after each advance, as long as its object lives."""
        self._wakers = [waker for waker in self._wakers if waker() is not None]
        self._wakers.append(weakref.WeakMethod(wake))
