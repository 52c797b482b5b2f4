// SPDX-License-Identifier: MIT
// The functions of the addon, called with whatever there is: they throw, or reject, and never crash.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'

const require = createRequire(import.meta.url)
const native = require('../lib/native.js')
const { NAMES } = require('../lib/errors.js')
const { Pack, layouts } = require('../lib/record.js')
const { check } = { check: (error) => error instanceof Error && (error.code === undefined || /^STEPBUS_E/.test(error.code)) }

const CALLS = 40000
const functions = Object.keys(native).filter((name) => typeof native[name] === 'function')

/** Numbers that are the same each time. */
function numbers(seed) {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 4294967296) * below)
  }
}

const odd = [
  undefined, null, true, false, 0, -0, 1, -1, 0.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1e300, 1n, -1n, 2n ** 70n,
  '', 'x', '\0', '\ud800', 'info', 'list', 'setQueue', '{}', '{"pull":true}', '{"limit":1}', '{"store":"memory:"}', 'x'.repeat(10000), Symbol('s'), {}, [], [1, 2], () => 1, class {}, new Date(), /x/,
  Buffer.alloc(0), Buffer.alloc(16, 255), Buffer.alloc(17), new Uint8Array(3), new Uint32Array(0), new Uint32Array(6), new Uint32Array([1]), new Uint32Array(29).fill(0xffffffff),
  new Uint32Array(100).fill(7), new Int32Array(6), new Float64Array(6), new BigInt64Array(2), new DataView(new ArrayBuffer(8)), new ArrayBuffer(8), new SharedArrayBuffer(8),
  new Uint32Array(new SharedArrayBuffer(24)), new Proxy({}, {}), new Proxy([], { get() { throw new Error('trap') } }), Object.create(null), new WeakMap(), Promise.resolve(), new Error('e'),
  globalThis, new String('x'), new Number(1),
]
const { buffer: detachedBuffer } = new Uint32Array(6)
const detached = new Uint32Array(detachedBuffer)
structuredClone(detachedBuffer, { transfer: [detachedBuffer] })
odd.push(detached)

async function openRaw() {
  return native.open('{"store":"memory:"}', undefined, 4, undefined)
}

test('the statuses have the names of the library', () => {
  NAMES.forEach((name, status) => assert.equal(native.statusName(status), name))
  assert.equal(native.statusName(NAMES.length), 'STEPBUS_EUNKNOWN')
})

for (const name of functions.filter((each) => each !== 'buildInfo')) {
  test(`${name} refuses to be called with nothing`, async () => {
    assert.throws(() => native[name](), check)
    assert.throws(() => native[name](...odd.slice(0, 20)), check)
  })
}

test('nothing that is passed to the addon ends the process', async () => {
  const random = numbers(20261121)
  const engine = await openRaw()
  const worker = await native.startWorker(engine, '{"pull":true}')
  const promises = []
  const opened = []
  for (let i = 0; i < CALLS; i++) {
    const name = functions[random(functions.length)]
    // The engine and the worker stay open, so that most calls get further than their first argument.
    if (['close', 'stop', 'freeWorker', 'stopWorker', 'startWorker', 'open'].includes(name) && random(50) !== 0) continue
    const args = Array.from({ length: random(7) }, () => odd[random(odd.length)])
    const first = random(10)
    if (first < 5 && !['close', 'stop', 'freeWorker', 'stopWorker'].includes(name)) args[0] = first < 3 ? engine : worker
    try {
      const value = native[name](...args)
      if (value instanceof Promise) promises.push(value.then((handle) => { if (name === 'open') opened.push(handle) }, (error) => assert.ok(check(error), error)))
    } catch (error) {
      assert.ok(check(error), `${name}: ${error.stack}`)
    }
    if (promises.length > 200) await Promise.all(promises.splice(0))
  }
  await Promise.all(promises)
  await native.close(engine)
  for (const handle of opened) await native.close(handle)
})

test('records with any words and bytes are read or refused', async () => {
  const random = numbers(7)
  const engine = await openRaw()
  const promises = []
  for (let i = 0; i < 4000; i++) {
    const [name, layout] = [['enqueue', 'step'], ['complete', 'completion'], ['register', 'handler']][random(3)]
    const bytes = Buffer.from(Array.from({ length: random(200) }, () => random(256)))
    const pack = new Pack(layouts[layout])
    for (let j = random(4); j >= 0; j--) {
      const base = pack.begin()
      for (let at = 0; at < pack.stride; at++) pack.words[base + at] = [0, 0, 0, 1, random(64), random(256), random(2 ** 32)][random(7)]
    }
    try {
      promises.push(native[name](engine, pack.records, bytes, Uint32Array.from([random(3), random(3)])))
    } catch (error) {
      assert.ok(check(error), error)
    }
    if (promises.length > 100) await Promise.allSettled(promises.splice(0))
  }
  await Promise.allSettled(promises)
  await native.close(engine)
})

test('a handle finds nothing when its object is gone', async () => {
  const engine = await openRaw()
  const worker = await native.startWorker(engine, '{"pull":true}')
  native.watch(worker, () => {})
  assert.throws(() => native.watch(worker, () => {}), { code: 'STEPBUS_EALREADY' })
  const closed = native.close(engine)
  for (const call of [() => native.poll(worker, 1), () => native.ask(engine, 'stats'), () => native.close(engine), () => native.freeWorker(worker)]) {
    assert.throws(call, { code: 'STEPBUS_EINVAL' })
  }
  await closed
  const other = await openRaw()
  assert.notEqual(other, engine)
  assert.throws(() => native.ask(engine, 'stats'), { code: 'STEPBUS_EINVAL' })
  await native.close(other)
})

test('an engine that is closed waits for what uses it', async () => {
  const engine = await openRaw()
  const asked = Array.from({ length: 100 }, () => native.ask(engine, 'stats'))
  const workers = [native.startWorker(engine, '{"pull":true}'), native.startWorker(engine, '{"pull":true}')]
  await native.close(engine)
  const settled = await Promise.allSettled([...asked, ...workers])
  assert.ok(settled.every(({ status, reason }) => status === 'fulfilled' || check(reason)))
  for (const { value } of settled.slice(-2)) assert.throws(() => native.poll(value, 1), { code: 'STEPBUS_EINVAL' })
})

test('a worker that is being stopped is not freed', async () => {
  const engine = await openRaw()
  const worker = await native.startWorker(engine, '{"pull":true}')
  const stopped = native.stopWorker(worker, 0)
  assert.throws(() => native.freeWorker(worker), { code: 'STEPBUS_EBUSY' })
  await stopped
  await native.freeWorker(worker)
  await native.close(engine)
})
