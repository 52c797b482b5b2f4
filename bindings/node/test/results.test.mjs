// SPDX-License-Identifier: MIT
// How waits for results share one look at the store.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { deferred, open } from './box.mjs'

const require = createRequire(import.meta.url)
const native = require('../lib/native.js')

/** Holds what the next look has found until it is told how it goes on; that it has looked, `looked` says. */
function holdLook(t) {
  const looked = deferred()
  const held = deferred()
  const real = native.look
  native.look = async (...args) => {
    native.look = real
    const found = await real(...args)
    looked.resolve()
    await held.promise
    return found
  }
  t.after(() => { native.look = real })
  return { looked: looked.promise, goOn: held.resolve, fail: held.reject }
}

test('a look that failed is told to nobody who came behind it', async (t) => {
  const { app } = await open(t)
  app.step('a')
  const id = await app.enqueue('a')
  const look = holdLook(t)
  const first = app.result(id, { timeout: 5000 })
  await look.looked
  const second = app.result(id, { timeout: 20 })
  look.fail(Object.assign(new Error('no memory'), { code: 'STEPBUS_ENOMEM' }))
  await assert.rejects(first, { code: 'STEPBUS_ENOMEM' })
  await assert.rejects(second, { code: 'STEPBUS_ETIMEDOUT' })
})

test('what an older look did not find is looked for once more', async (t) => {
  const { app } = await open(t)
  app.step('a', () => 7)
  const id = await app.enqueue('a')
  const look = holdLook(t)
  const first = app.result(id, { timeout: 5000 })
  await look.looked
  const worker = app.worker()
  for await (const step of worker) {
    await step.complete(7)
    break
  }
  const second = app.result(id, { timeout: 0 })
  look.goOn()
  assert.equal(await second, 7)
  assert.equal(await first, 7)
  await worker.close()
})
