// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stepbus, StepbusError } from '../lib/index.mjs'
import { open, folder, until } from './box.mjs'
import { join } from 'node:path'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

test('a step is enqueued with all that was said of it', async (t) => {
  const { app } = await open(t)
  const id = await app.enqueue('mail', { to: 'ä€😀' }, {
    queue: 'letters', priority: 7, version: '1.2.0', namespace: 'post', stepName: 'first', config: { a: 1 },
    correlationId: 'order-1', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', caller: 'shop',
    tags: ['red', 'blue'], concurrencyKey: 'customer-1', idempotencyKey: 'once', unique: { key: 'one', scope: ['queue', 'handler'], states: 'ready', period: 1000 },
    timeout: { wait: 1000, attempt: 2000, total: 3000 }, retry: { kind: 'fixed', base: 10, cap: 20, jitter: 5, attempts: 4 },
    delay: 60000,
  })
  const info = await app.info(id)
  assert.match(id, UUID)
  assert.equal(info.stepId, id)
  assert.equal(info.state, 'scheduled')
  assert.deepEqual(info.input, '{"to":"ä€😀"}')
  assert.deepEqual([info.queue, info.priority, info.handlerVersion, info.handlerNamespace, info.stepName], ['letters', 7, '1.2.0', 'post', 'first'])
  assert.equal(info.stepConfig, '{"a":1}')
  assert.deepEqual([info.correlationId, info.caller, info.concurrencyKey, info.idempotencyKey, info.uniqueKey], ['order-1', 'shop', 'customer-1', 'once', 'one'])
  assert.deepEqual([...info.tags].sort(), ['blue', 'red'])
  assert.deepEqual([info.waitTimeoutMs, info.attemptTimeoutMs, info.totalTimeoutMs], [1000, 2000, 3000])
  assert.deepEqual(info.retry, { kind: 'fixed', attemptCountMax: 4, baseMs: 10, capMs: 20, jitterPercent: 5 })
})

test('run at takes a date or milliseconds', async (t) => {
  const { app } = await open(t)
  const when = new Date('2040-01-02T03:04:05.678Z')
  for (const runAt of [when, when.getTime()]) {
    const info = await app.info(await app.enqueue('later', null, { runAt }))
    assert.equal(new Date(info.runAt).getTime(), when.getTime())
  }
})

test('an idempotency key gives the step that is there', async (t) => {
  const { app } = await open(t)
  const first = await app.enqueue('mail', 1, { idempotencyKey: 'k' })
  assert.equal(await app.enqueue('mail', 2, { idempotencyKey: 'k' }), first)
})

test('a unique key may be written short', async (t) => {
  const { app } = await open(t)
  const first = await app.enqueue('mail', 1, { unique: 'k' })
  assert.equal(await app.enqueue('mail', 2, { unique: 'k' }), first)
  assert.notEqual(await app.enqueue('mail', 2, { unique: 'other' }), first)
})

test('many are enqueued all or none', async (t) => {
  const { app } = await open(t)
  const ids = await app.enqueueMany([{ name: 'a', input: 1 }, { name: 'b' }, { name: 'a', options: { queue: 'q' } }])
  assert.equal(new Set(ids).size, 3)
  await assert.rejects(app.enqueueMany([{ name: 'a' }, { name: 'not allowed!' }]), { code: 'STEPBUS_EINVAL', status: 1 })
  await assert.rejects(app.enqueueMany([{ name: 'a' }, { name: 'b', input: 1n }]), { code: 'STEPBUS_EINVAL' })
  assert.equal(await app.count(), 3)
  assert.deepEqual(await app.enqueueMany([]), [])
})

test('calls of one turn share a transaction', async (t) => {
  const { app } = await open(t)
  const before = (await app.stats()).writer.operations
  const ids = await Promise.all(Array.from({ length: 500 }, (_, i) => app.enqueue('a', i)))
  assert.equal(new Set(ids).size, 500)
  assert.ok((await app.stats()).writer.operations - before < 5)
})

test('one that is refused does not take the others of its turn with it', async (t) => {
  const { app } = await open(t)
  const found = await Promise.allSettled([
    app.enqueue('a'), app.enqueue('not allowed!'), app.enqueue('b', null, { queue: 'ä' }), app.enqueueMany([{ name: 'c' }, { name: 'd' }]),
  ])
  assert.deepEqual(found.map(({ status }) => status), ['fulfilled', 'rejected', 'rejected', 'fulfilled'])
  assert.match(found[1].reason.message, /handler_name/)
  assert.match(found[2].reason.message, /queue/)
  assert.equal(await app.count(), 3)
})

test('an error tells who asked', async (t) => {
  const { app } = await open(t)
  async function whoAsked() {
    await app.enqueue('not allowed!')
  }
  const error = await whoAsked().catch((thrown) => thrown)
  assert.ok(error instanceof StepbusError && error instanceof Error)
  assert.equal(error.name, 'StepbusError')
  assert.match(error.stack, /whoAsked/)
})

const refused = [
  [['a', 1, { qeue: 'x' }], /have no qeue \(did you mean queue\?\)/],
  [['a', 1, { retry: { kinds: 'x' } }], /retry have no kinds/],
  [['a', 1, { retry: { kind: 'sometimes' } }], /retry.kind must be one of none, fixed/],
  [['a', 1, { priority: 1.5 }], /priority must be a whole number/],
  [['a', 1, { priority: -1 }], /priority must be a whole number/],
  [['a', 1, { delay: '5s' }], /delay must be a whole number.* not "5s"/],
  [['a', 1, { runAt: 'tomorrow' }], /runAt must be a Date/],
  [['a', 1, { runAt: new Date(NaN) }], /runAt must be a Date/],
  [['a', 1, { tags: [1] }], /tags \(each of them\) must be a text/],
  [['a', 1, { unique: { key: 'a', scope: 'world' } }], /unique.scope must be one of queue, handler/],
  [['a', 1, { config: [] }], /config must be an object/],
  [['a', 1, 7], /must be an object, not 7/],
  [['a', 1, null], /must be an object, not null/],
  [[7, 1], /the name of a step must be a text/],
  [[undefined], /the name of a step must be a text/],
  [['a', () => 1], /a function cannot be kept as JSON/],
  [['a', Symbol('x')], /a symbol cannot be kept as JSON/],
  [['a', 1n], /BigInt/],
]
for (const [args, message] of refused) {
  test(`enqueue refuses ${message}`, async (t) => {
    const { app } = await open(t)
    const loop = {}
    loop.loop = loop
    await assert.rejects(app.enqueue(...args), (error) => error instanceof StepbusError && error.code === 'STEPBUS_EINVAL' && message.test(error.message))
    await assert.rejects(app.enqueue('a', loop), /circular/)
    assert.equal(await app.count(), 0)
  })
}

test('the configuration is checked by the library', async () => {
  await assert.rejects(Stepbus.open({ store: 'memory:', leesMs: 1 }), (error) => error.code === 'STEPBUS_EINVAL' && /lees_ms/.test(error.message))
  for (const wrong of [undefined, null, 7, [], true]) await assert.rejects(Stepbus.open(wrong), { code: 'STEPBUS_EINVAL' })
  await assert.rejects(Stepbus.open('/nowhere/at/all.db'), StepbusError)
  await assert.rejects(Stepbus.open({ store: 'memory:', log: 'yes' }), /log must be a function/)
  await assert.rejects(Stepbus.open({ store: 'memory:', logLevel: 'loud' }), /logLevel must be one of/)
  assert.throws(() => new Stepbus(), TypeError)
})

test('configuration is written in the style of JavaScript', async (t) => {
  const { app } = await open(t, { leaseMs: 5000, retry: { kind: 'fixed', baseMs: 5 }, queues: { myQueue: { concurrencyMax: 3 } } })
  const [queue] = await app.queues.list()
  assert.equal(queue.name, 'myQueue')
  assert.equal(queue.concurrencyMax, 3)
})

test('a path is enough to open a store, and what was enqueued stays there', async (t) => {
  const path = join(folder(t), 'jobs.db')
  const first = await Stepbus.open({ store: path, log: false })
  const id = await first.enqueue('a', { n: 1 })
  await first.close()
  const second = await Stepbus.open({ store: path, log: false })
  t.after(() => second.close())
  assert.equal((await second.info(id)).input, '{"n":1}')
})

test('steps are listed page by page, counted, cancelled and redriven', async (t) => {
  const { app } = await open(t)
  const ids = await app.enqueueMany(Array.from({ length: 5 }, (_, i) => ({ name: 'a', input: i, options: { tags: ['x'] } })))
  const first = await app.list({ tag: 'x', limit: 3, order: 'oldest' })
  const second = await app.list({ tag: 'x', limit: 3, order: 'oldest', cursor: first.cursor })
  assert.deepEqual([...first.steps, ...second.steps].map(({ stepId }) => stepId), ids)
  await app.cancel(ids[0])
  await assert.rejects(app.cancel(ids[0]), { code: 'STEPBUS_EALREADY' })
  assert.equal(await app.count({ state: 'cancelled' }), 1)
  await app.redrive(ids[0])
  await app.cancel(ids[1])
  assert.equal(await app.redriveAll({ state: 'cancelled' }), 1)
  assert.equal(await app.count({ state: 'ready' }), 5)
  await assert.rejects(app.info('not an id'), { code: 'STEPBUS_EINVAL' })
  await assert.rejects(app.info(ids[0].replace(/.$/, (c) => (c === '0' ? '1' : '0')).replace(/^0/, 'f')), { code: 'STEPBUS_ENOTFOUND' })
})

test('queues are paused and resumed, cron entries set and removed', async (t) => {
  const { app } = await open(t)
  await app.queues.set('mail', { concurrencyMax: 2 })
  await app.queues.pause('mail')
  assert.equal((await app.queues.list())[0].isPaused, true)
  await app.queues.resume('mail')
  assert.equal((await app.queues.list())[0].isPaused, false)
  await app.cron.set({ name: 'nightly', expression: '0 3 * * *', zone: 'Europe/Berlin', step: { handler: 'report', input: { dayOf: 'week' } } })
  const [entry] = await app.cron.list()
  assert.equal(entry.name, 'nightly')
  await assert.rejects(app.cron.set({ name: 'x', expression: 'never', step: { handler: 'a' } }), { code: 'STEPBUS_EINVAL' })
  await app.cron.remove('nightly')
  assert.deepEqual(await app.cron.list(), [])
  await assert.rejects(app.cron.remove('nightly'), { code: 'STEPBUS_ENOTFOUND' })
})

test('the log gets records', async (t) => {
  const { app, log } = await open(t)
  await app.enqueue('a')
  app.step('a', () => 1)
  const run = app.run()
  await until(async () => (await app.count({ state: 'completed' })) === 1)
  await app.close()
  await run
  assert.ok(log.every(({ level, message }) => typeof level === 'string' && typeof message === 'string'), JSON.stringify(log[0]))
})
