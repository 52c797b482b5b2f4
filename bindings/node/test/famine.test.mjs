// SPDX-License-Identifier: MIT
// What must not be lost where memory runs out in the middle; tests/bindings/starve.sh tries every such place.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { open } from './box.mjs'

const require = createRequire(import.meta.url)
const native = require('../lib/native.js')

/** The next `count` calls of a function of the addon throw, or reject with, this. */
function refuse(t, name, code, { count = 1, isAsync = false } = {}) {
  const real = native[name]
  let left = count
  native[name] = (...args) => {
    if (left-- <= 0) return real(...args)
    const error = Object.assign(new Error('planted'), { code })
    if (isAsync) return Promise.reject(error)
    throw error
  }
  t.after(() => { native[name] = real })
}

test('a worker that could not be ended at first is ended, and another one gets its steps', async (t) => {
  const { app } = await open(t)
  app.step('x', () => 'done')
  const first = app.worker()
  first.run()
  await app.result(await app.enqueue('x'))
  refuse(t, 'stopWorker', 'STEPBUS_ENOMEM', { count: 2 })
  refuse(t, 'freeWorker', 'STEPBUS_ESYSTEM', { count: 2, isAsync: true })
  await first.close()
  app.run()
  assert.equal(await app.result(await app.enqueue('x'), { timeout: 5000 }), 'done')
})

test('a worker that cannot be watched claims no steps', async (t) => {
  const { app } = await open(t)
  app.step('x', () => 'done')
  refuse(t, 'watch', 'STEPBUS_ENOMEM')
  await assert.rejects(app.worker().run(), { code: 'STEPBUS_ENOMEM' })
  const id = await app.enqueue('x')
  app.run()
  assert.equal(await app.result(id, { timeout: 5000 }), 'done')
})

test('a worker goes on where Node-API refused it a poll, or the watch of its descriptor', async (t) => {
  const { app } = await open(t)
  app.step('x', () => 'done')
  refuse(t, 'poll', 'STEPBUS_ESYSTEM', { count: 2 })
  refuse(t, 'watching', 'STEPBUS_ESYSTEM', { count: 2 })
  app.run()
  assert.equal(await app.result(await app.enqueue('x'), { timeout: 5000 }), 'done')
})

test('close may be called again where it was refused', async (t) => {
  const { app } = await open(t)
  refuse(t, 'close', 'STEPBUS_ENOMEM')
  await assert.rejects(app.close(), { code: 'STEPBUS_ENOMEM' })
  await app.close()
  await app.close()
})
