# SPDX-License-Identifier: MIT
"""How soon a step that one process enqueues begins in a waiting Python worker of another.

Prints a JSON line for each way to wait: {"case": "python_wake_run", "median_ms": …, "p99_ms": …, "max_ms": …,
"median_after_durable_ms": …}. The times are from the call of enqueue, the disk's part included, and for the last one
from its return, which may be after the step has begun (then it is negative).

Usage: python_wake.py [steps]
"""
from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bindings" / "python" / "src"))

from stepbus import Stepbus  # noqa: E402

PAUSE_S = 0.015


def work(path: str, way: str) -> None:
    """The worker: tells when each step began."""
    app = Stepbus(path)
    if way == "serve":

        @app.step("tick")
        async def atick(n: int) -> None:
            print(n, time.monotonic_ns(), flush=True)

        asyncio.run(app.serve(signals=True))
    else:

        @app.step("tick")
        def tick(n: int) -> None:
            print(n, time.monotonic_ns(), flush=True)

        app.run(threads=2)
    app.close()


def measure(way: str, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/jobs.db"
        with Stepbus(path) as app:
            worker = subprocess.Popen([sys.executable, __file__, "--work", path, way], stdout=subprocess.PIPE, text=True)
            assert worker.stdout is not None
            app.result(app.enqueue("tick", {"n": -1}), 60)
            worker.stdout.readline()
            from_call: List[float] = []
            from_return: List[float] = []
            for n in range(count):
                time.sleep(PAUSE_S)
                called = time.monotonic_ns()
                app.enqueue("tick", {"n": n})
                returned = time.monotonic_ns()
                began = int(worker.stdout.readline().split()[1])
                from_call.append((began - called) / 1e6)
                from_return.append((began - returned) / 1e6)
            worker.terminate()
            worker.wait(30)
    from_call.sort()
    figures = {
        "median_ms": statistics.median(from_call),
        "p99_ms": from_call[int(len(from_call) * 0.99)],
        "max_ms": from_call[-1],
        "median_after_durable_ms": statistics.median(from_return),
    }
    print(json.dumps({"case": "python_wake_" + way, **{name: round(ms, 3) for name, ms in figures.items()}}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], sys.argv[3])
    else:
        for one in ("run", "serve"):
            measure(one, int(sys.argv[1]) if len(sys.argv) > 1 else 300)
