# SPDX-License-Identifier: MIT
"""Keeps a native object alive while calls are inside it, and refuses calls once it is closed.

The library frees at once; Python threads come and go. ``with gate as handle`` counts the caller in; ``close`` waits
until the last one has left. It also refuses callers of a forked child, whose calls could wait for locks that
nobody there will ever give back.
"""
from __future__ import annotations

import os
import threading
from typing import Callable

from .errors import Forked, ShutDown


class Gate:
    def __init__(self, handle: int, what: str) -> None:
        self._handle = handle
        self._what = what
        self._pid = os.getpid()
        self._inside = 0
        self._changed = threading.Condition(threading.Lock())
        self._closed = False
        self._freeing = threading.RLock()
        self._is_freed = False
        #: Called when nobody is inside any more, and the object is about to go away.
        self.before_free: Callable[[], object] = lambda: None

    def __enter__(self) -> int:
        if self.is_foreign():
            raise Forked("%s belongs to the parent of this process: open another one here" % self._what)
        with self._changed:
            if self._closed:
                raise ShutDown("%s is closed" % self._what)
            self._inside += 1
        return self._handle

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            if self._closed and not self._inside:
                self._changed.notify_all()

    def is_foreign(self) -> bool:
        """Whether this process is a forked child of the one that opened it."""
        return os.getpid() != self._pid

    def is_closed(self) -> bool:
        return self._closed

    def close(self, stop: Callable[[int], object], free: Callable[[int], object]) -> None:
        """Refuses calls from now on, brings back those that are inside with stop, and frees the object, once.

        Whoever comes second returns when that is done. In a forked child nothing is called.
        """
        if self.is_foreign():
            return
        with self._freeing:
            if self._is_freed:
                return
            self._is_freed = True
            with self._changed:
                self._closed = True
            stop(self._handle)
            with self._changed:
                while self._inside:
                    self._changed.wait()
            self.before_free()
            free(self._handle)
