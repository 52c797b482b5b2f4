# SPDX-License-Identifier: MIT
"""Whether an asyncio program stays punctual: 1,000 timers a second while 100,000 steps pass through its app.

Prints a JSON line for each kind of handler: {"case": "python_loop_async", "steps": …, "timers": …, "late_20ms": …,
"max_ms": …, "p99_ms": …, "steps_per_s": …}. A timer is late by what passes between when it is due and when it fires.
python_loop_control comes first: as busy a loop without stepbus, which shows what the machine itself is late by.

Usage: python_loop.py [steps]
"""
from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import List

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bindings" / "python" / "src"))

from stepbus import Stepbus  # noqa: E402

PERIOD_S = 0.001
LATE_S = 0.02
CONTROL_S = 3.0


class Timers:
    """One that fires each millisecond, and by how much it was late."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.due = self.loop.time()
        self.late: List[float] = []
        self.is_going = True
        self.fire()

    def fire(self) -> None:
        self.late.append(self.loop.time() - self.due)
        self.due += PERIOD_S
        if self.is_going:
            self.loop.call_at(self.due, self.fire)


async def control() -> None:
    """Timers whose callbacks keep the processor for most of each millisecond."""
    timers = Timers()
    end = time.perf_counter() + CONTROL_S
    while time.perf_counter() < end:
        turn = time.perf_counter() + PERIOD_S * 0.8
        while time.perf_counter() < turn:
            pass
        await asyncio.sleep(0)
    timers.is_going = False
    late = sorted(timers.late)
    figures = {"timers": len(late), "late_20ms": sum(one > LATE_S for one in late), "max_ms": round(late[-1] * 1e3, 3)}
    print(json.dumps({"case": "python_loop_control", **figures}))


async def measure(kind: str, count: int) -> None:
    app = Stepbus("memory", queue_count_max=1000000)
    done = 0

    if kind == "async":

        @app.step("n")
        async def anothing(i: int) -> None:
            nonlocal done
            done += 1

    else:

        @app.step("n")
        def nothing(i: int) -> None:
            nonlocal done
            done += 1

    async with app:
        for start in range(0, count, 5000):
            await app.aenqueue_many([("n", {"i": i}) for i in range(start, min(start + 5000, count))])
        timers = Timers()
        await asyncio.sleep(0.05)
        quiet = max(timers.late)
        timers.late.clear()
        began = time.perf_counter()
        serving = asyncio.create_task(app.serve(threads=2))
        while done < count:
            await asyncio.sleep(0.01)
        elapsed = time.perf_counter() - began
        app.stop()
        await serving
        timers.is_going = False
    late = sorted(timers.late)
    print(
        json.dumps(
            {
                "case": "python_loop_" + kind,
                "steps": count,
                "timers": len(late),
                "late_20ms": sum(one > LATE_S for one in late),
                "max_ms": round(late[-1] * 1e3, 3),
                "p99_ms": round(late[int(len(late) * 0.99)] * 1e3, 3),
                "quiet_max_ms": round(quiet * 1e3, 3),
                "steps_per_s": round(count / elapsed),
            }
        )
    )


if __name__ == "__main__":
    gc.freeze()
    asyncio.run(control())
    for one in ("async", "sync"):
        asyncio.run(measure(one, int(sys.argv[1]) if len(sys.argv) > 1 else 100000))
