// SPDX-License-Identifier: MIT
// How long it takes from the enqueue of a step in one process to its start in a waiting Node worker of
// another: from before the call of enqueue, so with the write that makes it durable, to the first line of
// the handler. Both read CLOCK_MONOTONIC, which processes share.
//
// Prints {"case":…, "median_ms":…, "p99_ms":…, "max_ms":…}.
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Stepbus } from '../../bindings/node/lib/index.mjs'

const COUNT = Number(process.argv[3] ?? 300)
const now = () => Number(process.hrtime.bigint()) / 1e6

async function work(path) {
  const app = await Stepbus.open(path)
  app.step('wake', (sentAt) => process.send(now() - sentAt))
  process.on('disconnect', () => app.close())
  const run = app.run()
  process.send('ready')
  await run
}

async function measure(durability) {
  const folder = mkdtempSync(join(tmpdir(), 'stepbus-wake-'))
  const path = join(folder, 'jobs.db')
  const app = await Stepbus.open({ store: path, durability })
  const worker = fork(fileURLToPath(import.meta.url), ['work', path])
  const took = []
  let heard
  worker.on('message', (message) => {
    if (message !== 'ready') took.push(message)
    heard()
  })
  await new Promise((resolve) => { heard = resolve })
  await pause(300)
  for (let i = 0; i < COUNT; i++) {
    const answer = new Promise((resolve) => { heard = resolve })
    await Promise.all([app.enqueue('wake', now()), answer])
    await pause(5) // until the worker waits again
  }
  worker.disconnect()
  await new Promise((resolve) => worker.on('exit', resolve))
  await app.close()
  rmSync(folder, { recursive: true })
  took.sort((a, b) => a - b)
  const at = (share) => Number(took[Math.min(took.length - 1, Math.floor(took.length * share))].toFixed(3))
  console.log(JSON.stringify({
    case: `node_wake_${durability}`,
    median_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1), events: took.length,
  }))
}

if (process.argv[2] === 'work') {
  await work(process.argv[3])
} else {
  for (const durability of ['disk', 'process']) await measure(durability)
}
