// SPDX-License-Identifier: MIT
// What the Node binding costs for each step: poll, decode, a handler that does nothing, completion, in
// batches of 256 on a store in memory. What counts is the time that the main thread was at work, for it
// is what a program loses to the binding; the library writes on other threads meanwhile.
//
// Prints a line of JSON for each case: {"case":…, "ns_per_event":…, "wall_ns_per_event":…}.
import { readFileSync } from 'node:fs'
import { Stepbus } from '../../bindings/node/lib/index.mjs'

const COUNT = Number(process.argv[2] ?? 100000)
const ROUNDS = Number(process.argv[3] ?? 5)
const CHUNK = 10000

// Nanoseconds that the main thread has been running.
const cpuNs = () => Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[0])

const cases = {
  node_pull: { input: { n: 1 }, handler: () => undefined },
  node_pull_json: { input: { n: 1 }, handler: (input) => input },
  node_pull_async: { input: { n: 1 }, handler: async (input) => input },
  node_pull_buffer: { input: Buffer.alloc(64, 1), handler: (input) => input },
}

async function measure({ input, handler }) {
  const app = await Stepbus.open({ store: 'memory:' })
  let left = COUNT
  let done
  const finished = new Promise((resolve) => { done = resolve })

  app.step('noop', (value) => {
    if (--left === 0) done()
    return handler(value)
  })
  for (let i = 0; i < COUNT; i += CHUNK) {
    await app.enqueueMany(Array.from({ length: Math.min(CHUNK, COUNT - i) }, () => ({ name: 'noop', input })))
  }
  const cpu = cpuNs()
  const wall = process.hrtime.bigint()
  const worker = app.worker({ concurrency: 256 })
  const run = worker.run()
  await finished
  await worker.close()
  await run
  const found = { cpu: (cpuNs() - cpu) / COUNT, wall: Number(process.hrtime.bigint() - wall) / COUNT }
  const { steps } = await app.stats()
  if (steps.completed !== COUNT) throw new Error(`${steps.completed} of ${COUNT} steps were completed`)
  await app.close()
  return found
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1]

for (const [name, each] of Object.entries(cases)) {
  const found = []
  for (let i = 0; i < ROUNDS; i++) found.push(await measure(each))
  console.log(JSON.stringify({
    case: name,
    ns_per_event: Math.round(median(found.map(({ cpu }) => cpu))),
    wall_ns_per_event: Math.round(median(found.map(({ wall }) => wall))),
    events: COUNT,
  }))
}
