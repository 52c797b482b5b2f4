// SPDX-License-Identifier: MIT
// Each step that was taken is answered, whatever handlers, callers and the store do.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'node:test'
import { Retryable, Snooze } from '../lib/index.mjs'
import { folder, open, until } from './box.mjs'

/** Lets another program refuse, or allow again, whatever is written to a store. */
const TRIGGERS = `
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], timeout=10)
query = "select name from sqlite_master where type = ? and name not like 'sqlite%'"
for (name,) in list(store.execute(query, ("table" if sys.argv[2] == "refuse" else "trigger",))):
    if sys.argv[2] == "allow":
        store.execute("drop trigger " + name)
        continue
    for what in ("insert", "update", "delete"):
        store.execute("create trigger refuse_%s_%s before %s on %s begin select raise(abort, 'refused'); end" % (what, name, what, name))
store.commit()
`
const python = (args) => spawnSync('python3', args, { encoding: 'utf8' })
const hasPython = python(['-c', 'import sqlite3']).status === 0

function tell(path, what) {
  const { status, stderr } = python(['-c', TRIGGERS, path, what])
  assert.equal(status, 0, stderr)
}

test('an answer that the store could not take is kept and sent again', { skip: !hasPython }, async (t) => {
  const path = join(folder(t), 'jobs.db')
  const { app } = await open(t, { store: path, breaker: { failureCount: 2, openMs: 20 } })
  let isRefused = false
  app.step('a', (input) => {
    if (!isRefused) tell(path, 'refuse')
    isRefused = true
    return input
  })
  const id = await app.enqueue('a', 7)
  const ended = app.run()
  await until(() => isRefused)
  await new Promise((resolve) => setTimeout(resolve, 300))
  tell(path, 'allow')
  assert.equal(await app.result(id, { timeout: 10000 }), 7)
  assert.equal((await app.attempts(id)).length, 1)
  await app.close()
  await ended
})

test('an answer that cannot be written is not given, and may be repaired', async (t) => {
  const { app } = await open(t)
  app.step('a')
  const ids = await app.enqueueMany([1, 2, 3].map((input) => ({ name: 'a', input })))
  const wrong = [
    (step) => step.complete(0, { contentType: 5 }),
    (step) => step.fail(new Error('no'), { type: 5, retryable: false }),
    (step) => step.fail(new Error('no'), { code: {}, retryable: false }),
  ]
  let count = 0
  for await (const step of app.worker()) {
    await assert.rejects(wrong[step.input - 1](step), { code: 'STEPBUS_EINVAL' })
    assert.equal(step.isAnswered, false)
    await step.complete(step.input * 10)
    if (++count === ids.length) break
  }
  assert.deepEqual(await Promise.all(ids.map((id) => app.result(id))), [10, 20, 30])
})

const hostile = {
  'a result whose toJSON throws nothing': () => ({ toJSON() { throw null } }),
  'a result whose toJSON throws what throws': () => ({ toJSON() { throw { get message() { throw new Error('no') } } } }),
  'a result that throws when it is looked at': async () => ({ get a() { throw new Proxy({}, { get() { throw new Error('no') } }) } }),
  'bytes that were handed away': () => {
    const bytes = new Uint8Array(8)
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
    return bytes
  },
  'a Retryable that cannot be read': () => { throw Object.defineProperty(new Retryable('x'), 'retryAfter', { get() { throw new Error('no') } }) },
  'a Snooze that cannot be read': () => { throw Object.defineProperty(new Snooze(1), 'delay', { get() { throw new Error('no') } }) },
}

for (const [name, handler] of Object.entries(hostile)) {
  test(`${name} is a failure, and the worker goes on`, async (t) => {
    const { app } = await open(t)
    app.step('hostile', { retry: { attempts: 1 } }, handler)
    app.step('fine', () => 'fine')
    const [hostile, fine] = await app.enqueueMany([{ name: 'hostile' }, { name: 'fine' }])
    app.run()
    await assert.rejects(app.result(hostile, { timeout: 10000 }), { code: 'STEPBUS_EHANDLER' })
    assert.equal(await app.result(fine, { timeout: 10000 }), 'fine')
  })
}

test('metadata that the library does not take does not take the failure with it', async (t) => {
  const { app } = await open(t)
  app.step('a', { retry: { attempts: 1 } }, () => { throw Object.assign(new Error('what happened'), { metadata: [1] }) })
  const id = await app.enqueue('a')
  app.run()
  await assert.rejects(app.result(id, { timeout: 10000 }), { reason: 'what happened', isRetryable: true })
})
