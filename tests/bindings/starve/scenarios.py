# SPDX-License-Identifier: MIT
"""The scenarios of the Python binding. Each makes a world (begin, see worlds.py), does what lacks memory (act; done again with memory
where it failed), looks at what that answered (check), and closes, opens the store anew and holds it against what was
acknowledged (end)."""
from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from datetime import datetime, timezone

import stepbus
from stepbus import Checkpoint, Clock, EventBridge, HandlerRegistry, Permanent, StepHandler, StepHandlerResult, Stepbus, _native
from stepbus.door import EngineDoor

from worlds import PASSING, RETRY, OnStore, Scenario


class Open(Scenario):
    expected = ("ready", 1)

    @staticmethod
    def act(world):
        app = Stepbus(world.store)
        app.step("x")(lambda: 1)
        app.set_cron("c", "@daily", "x")
        with app:
            return app.info(app.enqueue("x"))["state"], len(app.crons())

    @staticmethod
    def check(world, value, find):
        if value != Open.expected:
            find("%r" % (value,))


class WithClock(Scenario):
    expected = 5.0

    @staticmethod
    def act(world):
        clock = Clock(datetime(2026, 1, 1, tzinfo=timezone.utc))
        with Stepbus("memory", clock=clock):
            before = clock.now
            clock.advance(5)
            return (clock.now - before).total_seconds()


class Register(OnStore):
    expected = 1

    @staticmethod
    def act(world):
        name = "later%d" % len(world.runs)
        world.runs[name] = 1
        world.app.step(name, version="1.2.0", retry=2, timeout=1, capabilities=["a", "b"], description="d")(lambda: 1)
        return sum(function.name == name for function in world.app._functions.all())


class Enqueue(OnStore):
    expected = 4

    @staticmethod
    def act(world):
        first = world.enqueue("x", {"a": 1}, tags=["t"], priority=3)
        more = world.app.enqueue_many([("y", b"b"), ("y", None), ("z", [1], {"delay": 60})])
        world.acknowledged.update((str(step), None) for step in more)
        return len({str(step) for step in [first, *more]})


class EnqueueAsync(OnStore):
    expected = 2

    @staticmethod
    def act(world):
        async def both():
            one = await world.app.aenqueue("x", 1)
            world.acknowledged[str(one)] = None
            two = await world.app.aenqueue("x", 2)
            world.acknowledged[str(two)] = None
            return len({str(one), str(two)})

        return asyncio.run(both())


class Queries(OnStore):
    expected = (True, 0, 1, 1, dict, list, list, list)

    def prepare(self):
        self.step = self.enqueue("double", 1)

    @staticmethod
    def act(world):
        app, step = world.app, world.step
        engine = app.engine
        return (
            step.info()["step_id"] == str(step), len(step.attempts()), len(engine.page({})["steps"]), engine.count({}),
            type(engine.ask("stepbus_engine_stats")), type(engine.ask("stepbus_queue_list")),
            type(engine.ask("stepbus_worker_list")), type(app.crons()),
        )  # fmt: skip


class Control(OnStore):
    expected = (0, 3, 1)

    def prepare(self):
        self.steps = [self.enqueue("double", n) for n in range(3)]

    @staticmethod
    def act(world):
        app = world.app

        def unless_done(call, *arguments):
            try:
                call(*arguments)
            except (stepbus.Already, stepbus.NotFound):
                pass

        unless_done(world.steps[0].cancel)
        unless_done(world.steps[0].redrive)
        unless_done(app.cancel, world.steps[1])
        app.engine.redrive_all({"state": "cancelled"})
        app.engine.run("stepbus_queue_set", *_native.pair("q"), *_native.pair('{"concurrency_max":3}'))
        app.engine.run("stepbus_queue_pause", *_native.pair("q"))
        app.engine.run("stepbus_queue_resume", *_native.pair("q"))
        app.set_cron("c", "@daily", "double")
        crons = len(app.crons())
        unless_done(app.remove_cron, "c")
        app.engine.run("stepbus_engine_wake")
        return app.engine.count({"state": "cancelled"}), app.engine.count({}), crons


class Drain(OnStore):
    expected = [2, 4, "failed"]

    def prepare(self):
        self.steps = [self.enqueue("double", 1), self.enqueue("double", 2), self.enqueue("bad")]

    @staticmethod
    def run(world):
        world.app.drain()

    @classmethod
    def act(cls, world):
        world.run(world)
        return [world.result(step) for step in world.steps]

    def result(self, step):
        try:
            return self.app.result(step, 8)
        except stepbus.StepFailed:
            return "failed"

    def end(self, find):
        self.acknowledged = dict(zip(self.acknowledged, ["completed", "completed", "failed"]))
        super().end(find)


class Running(Drain):
    """Threads that run the steps while the caller waits."""

    @staticmethod
    def act(world):
        with world.app.running(threads=2):
            return [world.result(step) for step in world.steps]


class Serving(Drain):
    """The same beside an event loop, where handlers are async."""

    def handlers(self):
        super().handlers()

        @self.app.step("later")
        async def later(n):
            await asyncio.sleep(0)
            return -n

    def prepare(self):
        super().prepare()
        self.steps.append(self.enqueue("later", 5))

    expected = [2, 4, "failed", -5]

    @staticmethod
    def act(world):
        async def main():
            serving = asyncio.create_task(world.app.serve(threads=1))
            try:
                found = []
                for step in world.steps:
                    result = asyncio.create_task(world.result_of(step))
                    await asyncio.wait([serving, result], return_when=asyncio.FIRST_COMPLETED)
                    if not result.done():
                        result.cancel()
                        await serving
                    found.append(await result)
                return found
            finally:
                while not world.app._shifts and not serving.done():
                    await asyncio.sleep(0.001)
                world.app.stop()
                await serving

        return asyncio.run(main())

    async def result_of(self, step):
        try:
            return await self.app.aresult(step, 8)
        except stepbus.StepFailed:
            return "failed"

    def end(self, find):
        self.acknowledged = dict(zip(self.acknowledged, ["completed", "completed", "failed", "completed"]))
        OnStore.end(self, find)


class Checkpoints(OnStore):
    expected = 2

    def handlers(self):
        @self.app.step("parts")
        def parts(step):
            done = step.cursor or 0
            return Checkpoint(done + 1, items=1) if done < 2 else done

    def prepare(self):
        self.step = self.enqueue("parts")

    @staticmethod
    def act(world):
        world.app.drain()
        return world.app.result(world.step, 8)


class Door(OnStore):
    """A checkpoint as a subscriber makes it."""

    expected = 1

    def handlers(self):
        @self.app.step("parts")
        def parts(step):
            return step.cursor["at"]

    def prepare(self):
        self.step = self.enqueue("parts")
        with self.app.worker() as worker:
            (step,) = worker.poll(1, timeout=5)
            with self.app.engine.gate as engine:
                self.door = EngineDoor(engine)
            self.event = SimpleNamespace(step_uuid=step.id, token=step._row[1])
            self.worker = worker
            self.keep(step)

    def keep(self, step):
        self.polled = step

    @staticmethod
    def act(world):
        try:
            world.door.checkpoint(world.event, {"cursor": {"at": 1}, "items_processed": 1})
        except (stepbus.Stale, stepbus.NotFound):
            pass
        return 1


class Pulling(OnStore):
    """A worker that is polled."""

    expected = ["a", "b", "c"]

    def prepare(self):
        self.steps = [self.enqueue("double", n) for n in range(3)]

    @staticmethod
    def act(world):
        waiting = {str(step) for step in world.steps}
        with world.app.worker() as worker:
            os.fstat(worker.fileno())
            worker.metrics()
            for _ in range(20):
                for step in worker.poll(8, timeout=0.2):
                    if worker.is_cancelled(step) or not worker.heartbeat(step):
                        raise AssertionError("it is not ours")
                    world.answer(worker, step)
                    waiting.discard(str(step.id))
                if not waiting or all(world.state(each) == "completed" for each in waiting):
                    break
            worker.stop(0)
        return [world.app.result(step, 8) for step in world.steps]

    def state(self, step):
        return self.app.info(step)["state"]

    def answer(self, worker, step):
        value = "abc"[step.value if isinstance(step.value, int) else step.value["n"]]
        for error in worker.complete([(step, value)]):
            if error is not None:
                raise error

    def end(self, find):
        for step in self.acknowledged:
            self.acknowledged[step] = "completed"
        super().end(find)


class Results(OnStore):
    expected = [2, b"abc", "failed", "none"]

    def handlers(self):
        super().handlers()
        self.app.step("bytes")(lambda: b"abc")

    def prepare(self):
        self.steps = [self.enqueue("double", 1), self.enqueue("bytes"), self.enqueue("bad")]
        self.app.drain()

    @staticmethod
    def act(world):
        found = []
        for step in [*world.steps, "01900000-0000-7000-8000-000000000000"]:
            try:
                found.append(world.app.result(step, 8))
            except stepbus.StepFailed:
                found.append("failed")
            except stepbus.NotFound:
                found.append("none")
        return found


class Close(OnStore):
    is_once = True

    def prepare(self):
        self.enqueue("double", 1)
        self.worker = self.app.worker()
        self.polled = self.worker.poll(4, timeout=5)

    @staticmethod
    def act(world):
        world.app.close(1)


class Words(Scenario):
    expected = (True, "STEPBUS_ENOTFOUND", dict)

    @staticmethod
    def act(world):
        status = _native.lib.stepbus_status_name(3).decode()
        _native.version()
        return _native.new_id().version == 7, status, type(_native.build_info())


class Bridge(Scenario):
    """Subscribing, publishing, and all that a bridge can be asked."""

    kinds = ("memory", "objects")
    objects_max = 900

    def begin(self):
        self.bridge = EventBridge()
        self.bridge.start()
        self.heard = []

    def hear(self, value):
        self.heard.append(value)

    def hear_once(self, value):
        self.heard.append(-value)

    @staticmethod
    def act(world):
        if not world.is_object:  # what is collected without memory for objects is told by Python, and not freed
            own = EventBridge()
            own.start()
            own.stop() if own.is_active else None
            del own
        bridge = world.bridge
        world.heard = heard = []
        world.hear_ = hear = lambda value: heard.append(value)
        once = lambda value: heard.append(-value)  # noqa: E731
        bridge.subscribe("e.one", hear)
        bridge.subscribe_once("e.one", once)
        bridge.subscribe("e.*", hear)
        bridge.publish("e.one", 1)
        bridge.publish("e.one", 2)
        counts = bridge.listener_count("e.one"), len(bridge.listeners("e.one"))
        bridge.stats(), bridge.catalog()
        bridge.unsubscribe("e.*", hear)
        bridge.unsubscribe("e.one", hear)
        bridge.publish("e.one", 3)
        return heard, counts, bridge.listener_count("e.one")

    @staticmethod
    def check(world, value, find):
        wanted, heard = [1, -1, 1, 2, 2], list(value[0])
        # Of the interpreter's own memory: a subscriber that raises does not keep the others from being called.
        if world.is_object:
            for each in wanted if len(heard) >= 4 else ():
                if heard and heard[0] == each:
                    heard.pop(0)
            if heard:
                find("%r was heard" % (value,))
        elif heard != wanted or min(value[1]) < 2:
            find("%r was heard" % (value,))

    def end(self, find):
        before = len(stepbus.bridge._entries)
        self.bridge.stop()
        handlers = sum(map(len, self.bridge._subscribed.values()))
        if handlers:
            find("%d subscribers are left behind stop" % handlers)
        if len(stepbus.bridge._entries) > 0 and before:
            find("%d entries are left behind stop" % len(stepbus.bridge._entries))
        if stepbus.bridge._publications:
            find("publications are left")
        stepbus.bridge._entries.clear()


class Resubscribe(Scenario):
    """A subscription that is to be another kind of one stays what it was where that fails."""

    kinds = ("memory", "objects")
    objects_max = 300

    def begin(self):
        self.bridge = EventBridge()
        self.bridge.start()
        self.heard = []
        self.hear = self.heard.append
        self.bridge.subscribe("e.one", self.hear)

    @staticmethod
    def act(world):
        world.bridge.subscribe_once("e.one", world.hear)
        return True

    expected = True

    def end(self, find):
        self.bridge.publish("e.one", 1)
        if self.heard != [1]:
            find("%r was heard" % self.heard)
        self.bridge.stop()


class Handler(StepHandler):
    handler_name = "one"
    handler_version = "1.0.0"

    def call(self, context):
        return StepHandlerResult.success({})


class Registry(Scenario):
    kinds = ("memory", "objects")
    objects_max = 900
    expected = (True, 1, ["one"], True, True)

    def begin(self):
        self.registry = HandlerRegistry()

    @staticmethod
    def act(world):
        if not world.is_object:
            HandlerRegistry()
        registry = world.registry
        registry.register("one", Handler)
        made = isinstance(registry.create("one"), Handler)
        found = (made, registry.handler_count(), registry.list_handlers(), registry.is_registered("one"))
        registry.describe("process")
        gone = registry.unregister("one")
        registry.register("one", Handler)
        registry.clear()
        return (*found, gone)

    @staticmethod
    def check(world, value, find):
        if value != Registry.expected:
            find("%r" % (value,))
        if world.registry.describe():
            find("handlers are left behind clear")


class Planted(OnStore):
    """Faults as a binding could have them; each must be found."""

    def prepare(self):
        self.step = self.enqueue("double", 1)

    @classmethod
    def act(cls, world):
        try:
            world.app.info(world.step)
        except stepbus.StepbusError as error:
            if world.error is not None:
                raise
            return cls.spoil(world, error)

    @staticmethod
    def spoil(world, error):
        raise error


class PlantedLoss(Planted):
    @staticmethod
    def spoil(world, error):
        world.acknowledged["00000000-0000-7000-8000-000000000000"] = None


class PlantedDouble(Planted):
    @staticmethod
    def spoil(world, error):
        world.app.enqueue("x", 1)
        raise error


class PlantedCrash(Planted):
    @staticmethod
    def spoil(world, error):
        os.abort()


class PlantedError(Planted):
    @staticmethod
    def spoil(world, error):
        raise ValueError("what is this")


class PlantedLeak(Planted):
    kept = []

    @classmethod
    def spoil(cls, world, error):
        cls.kept.append(Stepbus("memory").open())
        raise error


def _named(kind):
    found = {}
    for each in kind.__subclasses__():
        if each not in (OnStore, Planted):
            found[each.__name__[0].lower() + each.__name__[1:]] = each
        found.update(_named(each))
    return found


ALL = _named(Scenario)
