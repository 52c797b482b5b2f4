# SPDX-License-Identifier: MIT
"""Tests of steps, without a file, threads or waiting: a pytest plugin, and what it is made of.

    def test_reminder(stepbus_app):
        stepbus_app.step("remind")(remind)
        step = stepbus_app.enqueue("remind", {"who": "Ada"}, delay=3600)
        stepbus_app.clock.advance(hours=1)
        stepbus_app.drain()
        assert stepbus_app.result(step) == "sent"

Installing the package registers the plugin. ``in_memory(app)`` does the same to an app of your own, with the functions
that are registered there.
"""
from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator, Optional

from .app import Stepbus
from .clock import Clock

try:
    import pytest
except ImportError:  # the rest of this module needs none
    pytest = None  # type: ignore[assignment]

__all__ = ["in_memory", "stepbus_app", "stepbus_clock"]


@contextmanager
def in_memory(app: Stepbus, clock: Optional[Clock] = None, **settings: Any) -> Iterator[Stepbus]:
    """Lets an app that is not open work in memory, on a clock that stands still: ``app.clock.advance(60)``."""
    if app.is_open():
        raise RuntimeError("the app is open: close it, or begin before its first use")
    before = app.config, app.clock
    app.config = {**app.config, "store": "memory:", **settings}
    app.config.pop("durability", None)
    app.clock = clock or Clock()
    try:
        with app:
            yield app
    finally:
        app.config, app.clock = before


def _fixture(function: Callable[..., Any]) -> Callable[..., Any]:
    return pytest.fixture(function) if pytest is not None else function


@_fixture
def stepbus_clock() -> Clock:
    """A clock that stands still until ``advance``."""
    return Clock()


@_fixture
def stepbus_app(stepbus_clock: Clock) -> Iterator[Stepbus]:
    """An app in memory that goes by stepbus_clock, without jitter. ``drain`` runs what is due, on this thread."""
    with Stepbus("memory", clock=stepbus_clock, retry={"jitter_percent": 0}) as app:
        yield app
