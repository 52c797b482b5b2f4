// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deferred, open, until } from './box.mjs'

const DAY = 24 * 3600 * 1000

test('a clock for tests stands still until it is told to go on', async (t) => {
  const start = new Date('2030-01-01T00:00:00Z')
  const { app } = await open(t, { testClock: start })
  app.step('later', () => 'done')
  app.run()
  const id = await app.enqueue('later', null, { delay: 30 * DAY })
  assert.equal(app.clock.now().getTime(), start.getTime())
  await app.clock.advance(29 * DAY)
  assert.equal((await app.info(id)).state, 'scheduled')
  await app.clock.advance(DAY)
  assert.equal(await app.result(id), 'done')
  assert.equal(app.clock.now().getTime(), start.getTime() + 30 * DAY)
})

test('retries come when the clock says so', async (t) => {
  const { app } = await open(t, { testClock: true })
  const attempts = []
  app.step('flaky', (input, step) => {
    attempts.push(step.attempt)
    if (step.attempt < 3) throw new Error('not yet')
    return 'done'
  })
  app.run()
  const id = await app.enqueue('flaky', null, { retry: { kind: 'fixed', base: 3600000, cap: 3600000, jitter: 0, attempts: 3 } })
  const isScheduled = async () => (await app.info(id)).state === 'scheduled'
  await until(isScheduled)
  await app.clock.advance(2 * 3600000)
  await until(async () => attempts.length === 2 && isScheduled())
  await app.clock.advance(2 * 3600000)
  assert.equal(await app.result(id), 'done')
})

test('a handler that is silent for too long is ended', async (t) => {
  const { app } = await open(t, { testClock: true })
  const started = deferred()
  app.step('silent', () => { started.resolve(); return new Promise(() => {}) })
  app.run({ silenceTimeoutMs: 60000 })
  const id = await app.enqueue('silent', null, { retry: { attempts: 1 } })
  await started.promise
  await app.clock.advance(120000)
  await assert.rejects(app.result(id), { type: 'host_silent' })
})

test('without a clock for tests there is none to advance', async (t) => {
  const { app } = await open(t)
  assert.throws(() => app.clock, { code: 'STEPBUS_EINACTIVE' })
  const { app: other } = await open(t, { testClock: 1 })
  await assert.rejects(other.clock.advance(-1), { code: 'STEPBUS_EINVAL' })
  await assert.rejects(open(t, { testClock: 'now' }), { code: 'STEPBUS_EINVAL' })
})
