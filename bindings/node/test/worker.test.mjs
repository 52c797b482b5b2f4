// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Permanent, Retryable, Snooze, StepFailure, StepbusError } from '../lib/index.mjs'
import { open, deferred, until } from './box.mjs'

const values = [
  undefined, null, true, 0, -1.5, '', 'text with ä€😀 and "quotes"', [], [1, [2]], {}, { a: { b: null } }, 'x'.repeat(100000),
  'ä'.repeat(31), 'a'.repeat(33),
]
for (const value of values) {
  const shown = String(JSON.stringify(value)).slice(0, 40)
  test(`${shown} goes in and comes out`, async (t) => {
    const { app } = await open(t)
    let got
    app.step('echo', (input) => { got = input; return input })
    app.run()
    assert.deepEqual(await app.result(await app.enqueue('echo', value)), value)
    assert.deepEqual(got, value)
  })
}

test('bytes go in and come out as buffers', async (t) => {
  const { app } = await open(t)
  app.step('echo', (input) => { assert.ok(Buffer.isBuffer(input)); return input })
  app.run()
  const bytes = Buffer.from([0, 255, 1, 128])
  for (const input of [bytes, new Uint8Array(bytes), new Uint8Array(bytes).buffer, new DataView(new Uint8Array(bytes).buffer), Buffer.alloc(0)]) {
    const result = await app.result(await app.enqueue('echo', input))
    assert.ok(Buffer.isBuffer(result))
    assert.deepEqual(result, input.byteLength === 0 ? Buffer.alloc(0) : bytes)
  }
  const large = Buffer.alloc(900000, 7)
  assert.deepEqual(await app.result(await app.enqueue('echo', large)), large)
})

test('handlers are sync, async, or give anything with then', async (t) => {
  const { app } = await open(t)
  app.step('sync', () => 'sync').step('async', async () => 'async').step('thenable', () => ({ then: (resolve) => resolve('thenable') }))
  app.run()
  for (const name of ['sync', 'async', 'thenable']) assert.equal(await app.result(await app.enqueue(name)), name)
})

test('a step tells what there is to know of it', async (t) => {
  const { app } = await open(t)
  let seen
  app.step('look', { version: '2.0.0', namespace: 'eyes', timeout: 5000 }, (input, step) => {
    seen = { ...Object.fromEntries(['id', 'name', 'namespace', 'version', 'stepName', 'queue', 'correlationId', 'traceparent', 'contentType',
      'retryCount', 'maxRetries', 'attempt', 'timeout', 'itemsProcessed', 'cursor', 'partialResult', 'config', 'isAnswered', 'input'].map((name) => [name, step[name]])), raw: step.inputBuffer.toString() }
    assert.match(String(step), /^step [0-9a-f-]{36} \(look\)$/)
  })
  app.run()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const id = await app.enqueue('look', [1], { namespace: 'eyes', queue: 'q', stepName: 's', correlationId: 'c', traceparent, config: { x: 1 }, retry: { attempts: 4 } })
  await app.result(id)
  assert.deepEqual(seen, {
    id, name: 'look', namespace: 'eyes', version: '2.0.0', stepName: 's', queue: 'q', correlationId: 'c', traceparent, contentType: 'application/json',
    retryCount: 0, maxRetries: 3, attempt: 1, timeout: 5000, itemsProcessed: 0, cursor: undefined, partialResult: undefined, config: { x: 1 }, isAnswered: false, input: [1], raw: '[1]',
  })
})

test('versions of a handler live side by side', async (t) => {
  const { app } = await open(t)
  app.step('v', { version: '1.0.0' }, () => 'one').step('v', { version: '2.0.0' }, () => 'two')
  app.run()
  const results = await Promise.all([undefined, '1.0.0', '2.0.0', '1.5.0'].map(async (version) => app.result(await app.enqueue('v', null, { version }))))
  assert.deepEqual(results, ['two', 'one', 'two', 'one'])
  assert.throws(() => app.step('v', { version: '1.0.0' }, () => 'again'), { code: 'STEPBUS_EEXISTS' })
  app.step('v', { version: '1.0.0', override: true }, () => 'again')
  assert.equal(await app.result(await app.enqueue('v', null, { version: '1.0.0' })), 'again')
})

const failures = [
  ['an Error', () => { throw new TypeError('broken') }, { type: 'TypeError', reason: 'broken', isRetryable: true }],
  ['a rejection', async () => { throw new RangeError('later') }, { type: 'RangeError', reason: 'later', isRetryable: true }],
  ['an Error with a code', () => { throw Object.assign(new Error('no'), { code: 'ENOENT' }) }, { errorCode: 'ENOENT' }],
  ['a Permanent', () => { throw new Permanent('never', { code: 7, type: 'bad_order', metadata: { a: 1 } }) }, { type: 'bad_order', errorCode: '7', metadata: { a: 1 }, isRetryable: false }],
  ['a text', () => { throw 'words' }, { type: 'thrown_string', reason: 'words' }],
  ['undefined', () => { throw undefined }, { type: 'thrown_undefined', reason: 'undefined' }],
  ['a rejection with null', () => Promise.reject(null), { type: 'thrown_object', reason: 'null' }],
  ['an object', () => { throw { a: 1 } }, { type: 'thrown_object', reason: '{ a: 1 }' }],
  ['an Error that cannot be read', () => { throw Object.defineProperties(new Error('x'), { message: { get() { throw new Error('gotcha') } }, name: { get() { throw new Error('gotcha') } }, stack: { get() { throw new Error('gotcha') } } }) }, { type: 'Error' }],
  ['a proxy that throws', () => { throw new Proxy({}, { get() { throw new Error('gotcha') }, getPrototypeOf() { throw new Error('gotcha') } }) }, {}],
  ['an Error with a long message', () => { throw new Error('m'.repeat(1000000)) }, { type: 'Error' }],
  ['a NUL and half a surrogate', () => { throw new Error('a\0b\ud800c') }, { type: 'Error' }],
  ['then that throws', () => ({ then() { throw new Error('then') } }), { reason: 'then' }],
  ['a getter then', () => ({ get then() { throw new Error('getter') } }), { reason: 'getter' }],
  ['a BigInt as result', () => 1n, { type: 'result_invalid', isRetryable: false }],
  ['a function as result', () => () => 1, { type: 'result_invalid', isRetryable: false }],
  ['a symbol as result', async () => Symbol('s'), { type: 'result_invalid', isRetryable: false }],
  ['a circle as result', async () => { const a = {}; a.a = a; return a }, { type: 'result_invalid', isRetryable: false }],
  ['a toJSON that throws as result', () => ({ toJSON() { throw new Error('no json') } }), { type: 'result_invalid', isRetryable: false }],
  ['a result that is too large', () => 'x'.repeat(2 << 20), { type: 'result_too_large', isRetryable: false }],
]
for (const [name, handler, wanted] of failures) {
  test(`${name} is a failure of the step, and of nothing else`, async (t) => {
    const { app } = await open(t)
    app.step('bad', { retry: { kind: 'none' } }, handler).step('good', () => 'fine')
    app.run()
    const failure = await app.result(await app.enqueue('bad', 1, { retry: { attempts: 1 } })).then((value) => assert.fail(`a result: ${value}`), (error) => error)
    assert.ok(failure instanceof StepFailure && failure instanceof StepbusError, failure.stack)
    assert.equal(failure.code, 'STEPBUS_EHANDLER')
    assert.equal(failure.outcome, 'failure')
    for (const key of Object.keys(wanted)) assert.deepEqual(failure[key], wanted[key], key)
    assert.equal(await app.result(await app.enqueue('good')), 'fine')
  })
}

test('the stack is kept with the attempt, and those of the causes', async (t) => {
  const { app } = await open(t)
  app.step('bad', function failsHere() { throw new Permanent('outer', { cause: new Error('inner reason') }) })
  app.run()
  const id = await app.enqueue('bad')
  await assert.rejects(app.result(id))
  const [attempt] = await app.attempts(id)
  assert.match(attempt.backtrace, /failsHere/)
  assert.match(attempt.backtrace, /Caused by: Error: inner reason/)
  assert.equal(attempt.errorType, 'Permanent')
})

test('a step is tried again, and knows it', async (t) => {
  const { app } = await open(t)
  const attempts = []
  app.step('flaky', { retry: { kind: 'fixed', base: 1, attempts: 3 } }, (input, step) => {
    attempts.push(step.attempt)
    if (step.attempt < 3) throw new Retryable('not yet', { retryAfter: 1 })
    return 'done'
  })
  app.run()
  assert.equal(await app.result(await app.enqueue('flaky')), 'done')
  assert.deepEqual(attempts, [1, 2, 3])
})

test('a snoozed step is not charged', async (t) => {
  const { app } = await open(t)
  let calls = 0
  app.step('sleepy', { retry: { attempts: 1 } }, () => {
    if (++calls < 3) throw new Snooze(1)
    return calls
  })
  app.run()
  const id = await app.enqueue('sleepy')
  assert.equal(await app.result(id), 3)
})

test('steps go on from their checkpoint', async (t) => {
  const { app } = await open(t)
  const seen = []
  app.step('long', { retry: { attempts: 1 } }, async (input, step) => {
    const from = step.cursor ?? 0
    seen.push([from, step.partialResult, step.itemsProcessed])
    if (from < 3) {
      await step.checkpoint({ cursor: from + 1, partialResult: { sum: from }, itemsProcessed: from + 1 })
      return undefined
    }
    return 'whole'
  })
  app.run()
  assert.equal(await app.result(await app.enqueue('long')), 'whole')
  assert.deepEqual(seen, [[0, undefined, 0], [1, { sum: 0 }, 1], [2, { sum: 1 }, 2], [3, { sum: 2 }, 3]])
})

test('a loop gets the steps, and answers them as it likes', async (t) => {
  const { app } = await open(t)
  app.step('a', { retry: { kind: 'none' } })
  const ids = await app.enqueueMany(['complete', 'fail', 'snooze', 'release', 'bytes'].map((input) => ({ name: 'a', input })))
  const worker = app.worker()
  const seen = new Set()
  for await (const step of worker) {
    const again = seen.has(step.id)
    seen.add(step.id)
    if (again || step.input === 'complete') await step.complete({ again }, { metadata: { m: 1 } })
    else if (step.input === 'fail') await step.fail(new Error('no'), { type: 'refused', code: 'x', retryable: false })
    else if (step.input === 'snooze') await step.snooze(1)
    else if (step.input === 'release') await step.release()
    else await step.complete(Buffer.from('b'), { contentType: 'image/png' })
    assert.ok(step.isAnswered)
    if ((await app.count({ state: ['completed', 'failed'] })) === 5) break
  }
  await worker.close()
  const results = await Promise.allSettled(ids.map((id) => app.result(id)))
  assert.deepEqual(results.map(({ value, reason }) => value ?? reason.type), [{ again: false }, 'refused', { again: true }, { again: true }, Buffer.from('b')])
  const info = await app.info(ids[0])
  assert.equal(info.resultMetadata, '{"m":1}')
})

test('a loop takes no more steps than it may have out', async (t) => {
  const { app } = await open(t)
  app.step('a')
  await app.enqueueMany(Array.from({ length: 10 }, () => ({ name: 'a' })))
  const worker = app.worker({ concurrency: 3 })
  const loop = worker[Symbol.asyncIterator]()
  const out = [(await loop.next()).value, (await loop.next()).value, (await loop.next()).value]
  let fourth = false
  const next = loop.next().then(({ value }) => { fourth = true; return value })
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(fourth, false)
  assert.equal(worker.metrics().polledCount, 3)
  await out[0].complete()
  const step = await next
  assert.equal(await step.complete(), undefined)
  await Promise.all(out.slice(1).map((each) => each.complete()))
  await worker.close()
  assert.deepEqual(await loop.next(), { done: true, value: undefined })
})

test('no more handlers run at once than the concurrency says', async (t) => {
  const { app } = await open(t)
  let running = 0
  let most = 0
  app.step('a', async () => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 2))
    running--
  })
  const ids = await app.enqueueMany(Array.from({ length: 50 }, () => ({ name: 'a' })))
  app.run({ concurrency: 5 })
  await Promise.all(ids.map((id) => app.result(id)))
  assert.equal(most, 5)
})

test('a handler that answers its step at once, and returns a promise, leaves its place', async (t) => {
  const { app } = await open(t)
  app.step('complete', async (input, step) => { await step.complete(input) })
  app.step('checkpoint', async (_, step) => {
    if (step.cursor === undefined) await step.checkpoint({ cursor: 1 })
    else return step.cursor
  })
  const ended = app.run({ concurrency: 2 })
  const names = ['complete', 'checkpoint', 'complete', 'checkpoint', 'complete', 'complete', 'checkpoint']
  const ids = await app.enqueueMany(names.map((name) => ({ name, input: 1 })))
  for (const id of ids) assert.equal(await app.result(id, { timeout: 10000 }), 1)
  const began = performance.now()
  await app.close({ timeout: 20000 })
  await ended
  assert.ok(performance.now() - began < 10000, 'nothing runs any more')
})

test('a worker serves the queues that it is given', async (t) => {
  const { app } = await open(t)
  const served = []
  app.step('a', (input) => { served.push(input) })
  await app.enqueue('a', 'other', { queue: 'other' })
  const id = await app.enqueue('a', 'mine', { queue: 'mine' })
  app.run({ queues: ['mine'] })
  await app.result(id)
  assert.deepEqual(served, ['mine'])
})

test('a cancelled step hears of it by its signal', async (t) => {
  const { app, log } = await open(t)
  const started = deferred()
  const stopped = deferred()
  app.step('long', async (input, step) => {
    started.resolve()
    await new Promise((resolve) => step.signal.addEventListener('abort', resolve))
    stopped.resolve(step.signal.reason)
    return 'late'
  })
  app.run()
  const id = await app.enqueue('long')
  await started.promise
  await app.cancel(id)
  const reason = await stopped.promise
  assert.equal(reason.code, 'STEPBUS_ECANCELLED')
  await assert.rejects(app.result(id), { code: 'STEPBUS_ECANCELLED', outcome: 'cancelled' })
  await until(() => log.some(({ level, message }) => level === 'warn' && /returned a value/.test(message)))
})

test('a handler that never returns gives its place to the next one', async (t) => {
  const { app } = await open(t)
  app.step('stuck', { timeout: 30, retry: { kind: 'none' } }, () => new Promise(() => {})).step('good', () => 'fine')
  app.run({ concurrency: 1 })
  const failure = await app.result(await app.enqueue('stuck', null, { retry: { attempts: 1 } })).catch((error) => error)
  assert.equal(failure.type, 'timed_out')
  assert.equal(await app.result(await app.enqueue('good')), 'fine')
})

test('what a handler returns after its time is refused and logged', async (t) => {
  const { app, log } = await open(t)
  const late = deferred()
  app.step('slow', { timeout: 20, retry: { kind: 'none' } }, () => late.promise)
  app.run()
  const id = await app.enqueue('slow', null, { retry: { attempts: 1 } })
  await assert.rejects(app.result(id), { type: 'timed_out' })
  late.resolve('too late')
  await until(() => log.some(({ level, message }) => level === 'warn' && message.includes(id)))
  assert.equal((await app.info(id)).state, 'failed')
})

test('results may be waited for for a while, or until a signal', async (t) => {
  const { app } = await open(t)
  const id = await app.enqueue('nobody')
  await assert.rejects(app.result(id, { timeout: 0 }), { code: 'STEPBUS_ETIMEDOUT' })
  await assert.rejects(app.result(id, { timeout: 20 }), { code: 'STEPBUS_ETIMEDOUT' })
  await assert.rejects(app.result(id, { signal: AbortSignal.abort(new Error('before')) }), /before/)
  const controller = new AbortController()
  const waiting = app.result(id, { signal: controller.signal, timeout: 10000 })
  controller.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  await assert.rejects(app.result(id, { timeout: -1 }), { code: 'STEPBUS_EINVAL' })
  await assert.rejects(app.result('0'), { code: 'STEPBUS_EINVAL' })
  await assert.rejects(app.result('ffffffff-ffff-7fff-bfff-ffffffffffff'), { code: 'STEPBUS_ENOTFOUND' })
})

test('many wait for many results, while others use the pool', async (t) => {
  const { app } = await open(t)
  app.step('a', (input) => input)
  const ids = await app.enqueueMany(Array.from({ length: 300 }, (_, input) => ({ name: 'a', input })))
  const waiting = ids.flatMap((id) => [app.result(id), app.result(id)])
  app.run()
  const results = await Promise.all(waiting)
  assert.deepEqual(results, ids.flatMap((_, i) => [i, i]))
})

test('a heartbeat says whether to go on', async (t) => {
  const { app } = await open(t)
  app.step('a')
  const id = await app.enqueue('a')
  const worker = app.worker({ silenceTimeoutMs: 60000 })
  for await (const step of worker) {
    assert.equal(step.heartbeat(), undefined)
    await app.cancel(id)
    assert.throws(() => step.heartbeat(), { code: 'STEPBUS_ECANCELLED' })
    assert.ok(step.signal.aborted)
    await assert.rejects(step.complete(1), { code: 'STEPBUS_ECANCELLED' })
    break
  }
})

test('what is wrong with an answer can be repaired', async (t) => {
  const { app } = await open(t)
  app.step('a')
  const id = await app.enqueue('a')
  for await (const step of app.worker()) {
    await assert.rejects(step.complete(1n), { code: 'STEPBUS_EINVAL' })
    await assert.rejects(step.complete(1, { metadata: 7 }), { code: 'STEPBUS_EINVAL' })
    await assert.rejects(step.complete(1, { metdata: {} }), /did you mean metadata/)
    await assert.rejects(step.snooze(-1), { code: 'STEPBUS_EINVAL' })
    await assert.rejects(step.snooze(1e15), { code: 'STEPBUS_EINVAL' }) // by the library
    assert.equal(step.isAnswered, false)
    await step.complete('right')
    break
  }
  assert.equal(await app.result(id), 'right')
})

test('a worker is used in one way', async (t) => {
  const { app } = await open(t)
  app.step('a', () => 1)
  const worker = app.worker()
  worker.run()
  await assert.rejects(worker.run(), { code: 'STEPBUS_EALREADY' })
  assert.throws(() => worker[Symbol.asyncIterator](), { code: 'STEPBUS_EALREADY' })
  for (const wrong of [{ concurrency: 0 }, { concurrency: 'x' }, { nonsense: 1 }, 7, null]) assert.throws(() => app.worker(wrong), { code: 'STEPBUS_EINVAL' })
  await assert.rejects(app.worker({ strategy: 'chaos' }).run(), { code: 'STEPBUS_EINVAL' })
  app.step('b')
  await assert.rejects(app.worker().run(), /registered without a handler/)
})

test('closing waits for what runs, and tells it', async (t) => {
  const { app } = await open(t)
  const started = deferred()
  let told
  app.step('long', async (input, step) => {
    step.signal.addEventListener('abort', () => { told = step.signal.reason.code })
    started.resolve()
    await new Promise((resolve) => setTimeout(resolve, 50))
    return 'done'
  })
  const run = app.run()
  const id = await app.enqueue('long')
  const result = app.result(id)
  await started.promise
  await app.close()
  await run
  assert.equal(told, 'STEPBUS_ESHUTDOWN')
  assert.equal(await result.catch(({ code }) => code), 'done')
})

test('what does not end in time is given back uncharged', async (t) => {
  const { app } = await open(t)
  const started = deferred()
  app.step('stuck', () => { started.resolve(); return new Promise(() => {}) })
  const worker = app.worker()
  const run = worker.run()
  const id = await app.enqueue('stuck')
  await started.promise
  await worker.close({ timeout: 20 })
  await run
  const info = await app.info(id)
  assert.deepEqual([info.state, info.attemptCount], ['ready', 0])
})

test('a handler that stops because of the shutdown is not charged', async (t) => {
  const { app } = await open(t)
  const started = deferred()
  app.step('polite', async (input, { signal }) => {
    started.resolve()
    await new Promise((resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  const worker = app.worker()
  worker.run()
  const id = await app.enqueue('polite')
  await started.promise
  await worker.close()
  assert.equal((await app.info(id)).state, 'ready')
})

test('two workers of one program share the steps', async (t) => {
  const { app } = await open(t)
  app.step('a', async (input) => input)
  const [first, second] = [app.worker(), app.worker()]
  const runs = [first.run(), second.run()]
  const ids = await app.enqueueMany(Array.from({ length: 100 }, (_, input) => ({ name: 'a', input })))
  assert.deepEqual(await Promise.all(ids.map((id) => app.result(id))), ids.map((_, i) => i))
  await first.close()
  assert.equal(await app.result(await app.enqueue('a', 'second')), 'second')
  await second.close()
  await Promise.all(runs)
})

test('large inputs come in several batches', async (t) => {
  const { app } = await open(t, { payloadLenMax: 16 << 20 })
  app.step('size', (input) => input.length)
  const ids = []
  for (let i = 0; i < 6; i++) ids.push(await app.enqueue('size', Buffer.alloc(7 << 20, i)))
  app.run()
  assert.deepEqual(await Promise.all(ids.map((id) => app.result(id))), ids.map(() => 7 << 20))
})
