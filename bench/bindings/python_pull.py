# SPDX-License-Identifier: MIT
"""What one step costs in the Python binding: polled in batches of 256, decoded, run by a function that does nothing,
and completed in batches, with the memory store. Beside it, one ctypes callback from a thread of the library per step.

Prints a JSON line for each case:

    python_pull           the binding alone: CPU time of the polling thread that is not spent inside the library
    python_pull_thread    CPU time of the polling thread, the library's calls included
    python_pull_wall      time on the wall, the memory store's writer included
    python_callback       CPU time of the pool thread of the library that does the same through a callback per step
    python_callback_wall  time on the wall of that

Usage: python_pull.py [steps] [repeats]
"""
from __future__ import annotations

import ctypes
import gc
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, List

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bindings" / "python" / "src"))

from stepbus import Stepbus, _native  # noqa: E402
from stepbus import _structs as s  # noqa: E402
from stepbus._native import lib  # noqa: E402
from stepbus.execution import Execution  # noqa: E402
from stepbus.settling import Settling  # noqa: E402

BATCH = 256


def app_with_steps(count: int, value: Any) -> Stepbus:
    app = Stepbus("memory", queue_count_max=1000000)

    @app.step("nothing")
    def nothing(**_: Any) -> None:
        pass

    for start in range(0, count, 10000):
        app.enqueue_many([("nothing", value)] * min(10000, count - start))
    return app


class Timed:
    """A function of the library, with the CPU time that is spent inside it."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.ns = 0

    def __call__(self, *arguments: Any) -> Any:
        began = time.thread_time_ns()
        status = self.function(*arguments)
        self.ns += time.thread_time_ns() - began
        return status


def pull(count: int, value: Any) -> Dict[str, float]:
    with app_with_steps(count, value) as app, app.worker(block_size=1024) as worker:
        poll, complete = Timed(worker._poll), Timed(worker._complete)
        worker._poll, worker._complete = poll, complete
        execution, settling = Execution(app._functions), Settling(worker)
        run, add, done = execution.run, settling.add, 0
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        while done < count:
            steps = worker.poll_once(BATCH, 1000)
            for step in steps:
                add(run(step))
            settling.settle()
            done += len(steps)
        cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
        assert app.count(state="completed") == count
    inside = poll.ns + complete.ns
    return {"python_pull": (cpu - inside) / count, "python_pull_thread": cpu / count, "python_pull_wall": wall / count}


def callback(count: int) -> Dict[str, float]:
    """The same work in a ctypes callback, on a thread that Python has not made."""
    cpu: List[int] = []
    done = threading.Event()

    def nothing(**_: Any) -> None:
        pass

    def call(_instance: int, context: int, result: int) -> int:
        event = lib.stepbus_context_step(context)[0]
        assert event.get("handler_name") == b"called"
        nothing(**json.loads(event.get("input")))
        status = lib.stepbus_result_success(result, b"null", 4, None)
        cpu.append(time.thread_time_ns())
        if len(cpu) == count:
            done.set()
        return int(status)

    kept = s.HandlerFn(call)
    with Stepbus("memory") as app:
        spec = s.HandlerSpec(call=kept)
        spec.put("name", b"called")
        with app.engine.gate as engine:
            _native.call("stepbus_registry_register", lib.stepbus_engine_registry(engine), ctypes.byref(spec))
        app.enqueue_many([("called", None)] * count)
        began = time.perf_counter_ns()
        with app.engine.gate as engine:
            worker = _native.make("stepbus_worker_start", engine, b'{"pool_size":1}', 15)
        done.wait()
        wall = time.perf_counter_ns() - began
        lib.stepbus_worker_free(worker)
    assert len(cpu) == count
    return {"python_callback": (cpu[-1] - cpu[0]) / (count - 1), "python_callback_wall": wall / count}


def best(results: List[Dict[str, float]]) -> Dict[str, float]:
    return {case: min(result[case] for result in results) for case in results[0]}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    gc.freeze()
    cases = best([pull(count, None) for _ in range(repeats)])
    with_input = best([pull(count, {"to": "a@example.com", "n": 1}) for _ in range(repeats)])
    cases["python_pull_with_json_input"] = with_input["python_pull"]
    cases.update(best([callback(min(count, 20000)) for _ in range(repeats)]))
    for case, ns in cases.items():
        print(json.dumps({"case": case, "ns_per_event": round(ns, 1)}))


if __name__ == "__main__":
    main()
