// SPDX-License-Identifier: MIT
// Whether the event loop stays free: a timer is set for every millisecond, and must not be late by more
// than 20 ms while 100,000 steps pass.
//
// On a busy machine the loop is late because other processes run in its place. What it is late by its own
// fault is the time that the main thread worked between two turns of the timers: busy_max_ms.
//
// Prints {"case":…, "timers":…, "late_max_ms":…, "late_p99_ms":…, "missed":…, "busy_max_ms":…}.
import { readFileSync } from 'node:fs'
import { Stepbus } from '../../bindings/node/lib/index.mjs'

const COUNT = Number(process.argv[2] ?? 100000)
const QUIET_MS = 2000
const LATE_MS = 20
const CHUNK = 1000

const cpuMs = () => Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[0]) / 1e6

/** Sets a timer for each millisecond from now on, and notes how late each of them is. */
function watchTimers() {
  const late = []
  const start = performance.now()
  let due = 0
  let stopped = false
  let cpu = cpuMs()
  let busy = 0
  const tick = () => {
    if (stopped) return
    const now = performance.now() - start
    const worked = cpuMs()
    busy = Math.max(busy, worked - cpu)
    cpu = worked
    for (; due <= now; due++) late.push(now - due)
    setTimeout(tick, 1)
  }
  tick()
  return () => {
    stopped = true
    return { late: late.sort((a, b) => a - b), busy }
  }
}

function report(name, { late, busy }, seconds, steps) {
  console.log(JSON.stringify({
    case: name,
    steps,
    seconds: Number(seconds.toFixed(2)),
    timers: late.length,
    late_median_ms: Number(late[late.length >> 1].toFixed(2)),
    late_p99_ms: Number(late[Math.floor(late.length * 0.99)].toFixed(2)),
    late_max_ms: Number(late.at(-1).toFixed(2)),
    missed: late.filter((ms) => ms > LATE_MS).length,
    busy_max_ms: Number(busy.toFixed(2)),
  }))
}

/** What the machine itself makes of it. */
async function measureNothing() {
  const stop = watchTimers()
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  report('node_loop_quiet', stop(), QUIET_MS / 1000, 0)
}

async function measure(name, options, handler) {
  const app = await Stepbus.open({ store: 'memory:' })
  let left = COUNT
  let done
  const finished = new Promise((resolve) => { done = resolve })
  app.step('noop', async (input) => {
    if (--left === 0) done()
    return handler(input)
  })
  const run = app.run(options)
  const stop = watchTimers()
  const start = performance.now()
  for (let i = 0; i < COUNT; i += CHUNK) {
    await app.enqueueMany(Array.from({ length: Math.min(CHUNK, COUNT - i) }, (_, j) => ({ name: 'noop', input: { n: i + j } })))
  }
  await finished
  const seconds = (performance.now() - start) / 1000
  const found = stop()
  await app.close()
  await run
  report(name, found, seconds, COUNT)
}

await measureNothing()
await measure('node_loop_async', { concurrency: 256 }, (input) => input)
await measure('node_loop_20us', { concurrency: 256 }, (input) => {
  const until = performance.now() + 0.02
  while (performance.now() < until);
  return input
})
