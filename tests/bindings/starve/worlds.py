# SPDX-License-Identifier: MIT
"""What the scenarios of the Python binding stand on: a world that is begun, used without memory, looked at and ended."""
from __future__ import annotations

import os

from stepbus import Permanent, Stepbus

RETRY = {"base_ms": 1, "cap_ms": 5, "jitter_percent": 0}
PASSING = ("STEPBUS_ENOMEM", "STEPBUS_ESYSTEM", "STEPBUS_ESTORE")


class Scenario:
    is_once = False
    kinds = ("memory",)
    objects_max = 400
    expected = None

    def __init__(self, folder: str) -> None:
        self.store = os.path.join(folder, "s.db")
        self.error = None
        self.is_object = False
        self.runs = {}

    def begin(self) -> None:
        pass

    @staticmethod
    def act(world):
        raise NotImplementedError

    @staticmethod
    def check(world, value, find) -> None:
        if value != type(world).expected:
            find("%r and not %r" % (value, type(world).expected))

    def end(self, find) -> None:
        pass


class OnStore(Scenario):
    """With an app on a file, which is open."""

    state = None

    def begin(self) -> None:
        self.acknowledged = {}
        self.app = Stepbus(self.store, retry=RETRY, lease_ms=1000)
        self.handlers()
        self.app.open()
        self.prepare()

    def handlers(self) -> None:
        @self.app.step("double")
        def double(step, n):
            self.runs[str(step.id)] = self.runs.get(str(step.id), 0) + 1
            return 2 * n

        @self.app.step("bad")
        def bad():
            raise Permanent("no", context={"a": 1})

    def prepare(self) -> None:
        pass

    def enqueue(self, name, *rest, **options):
        step = self.app.enqueue(name, *rest, **options)
        self.acknowledged[str(step)] = None
        return step

    def end(self, find) -> None:
        self.app.close(5)
        self.audit(find)

    def audit(self, find) -> None:
        """What was acknowledged is there, once, in the state it must have; and nothing else."""
        with Stepbus(self.store) as app:
            found = {step["step_id"]: step["state"] for step in app.engine.page({"limit": 500})["steps"]}
        for step, state in self.acknowledged.items():
            if step not in found:
                find("the acknowledged step %s is lost" % step)
            elif state is not None and found[step] != state:
                find("step %s is %s and should be %s" % (step, found[step], state))
            found.pop(step, None)
        if found:
            find("%d steps are there that nobody was told of" % len(found))
        twice = [step for step, count in self.runs.items() if count > 1]
        if twice:
            find("%s ran more than once" % twice)
