# SPDX-License-Identifier: MIT
"""A program with an event loop that runs its own steps beside whatever else it does."""
import asyncio

from stepbus import Retryable, Stepbus

app = Stepbus("jobs.db")


@app.step("square", retry=5, timeout=10)
async def square(step, n):
    if step.attempt == 1 and n == 3:
        raise Retryable("not today", retry_after=0.01)
    return n * n


async def main():
    async with app:
        serving = asyncio.create_task(app.serve())
        steps = await app.aenqueue_many([("square", {"n": n}) for n in range(5)])
        print(await asyncio.gather(*(app.aresult(step, timeout=10) for step in steps)))
        app.stop()
        await serving


asyncio.run(main())
