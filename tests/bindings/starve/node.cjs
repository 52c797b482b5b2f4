// SPDX-License-Identifier: MIT
// The scenarios of the Node binding. Each is {begin, act, check, end}: `act` is what lacks memory, and is
// done again with memory where it failed; `check` looks at what it answered; `end` closes, opens the
// store anew, and holds it against what was acknowledged.
'use strict'

const path = require('node:path')
const { Worker: Thread } = require('node:worker_threads')

const lib = path.join(__dirname, '../../../bindings/node/lib')
const native = require(path.join(lib, 'native.js'))
const { Stepbus, buildInfo } = require(path.join(lib, 'index.js'))

const ATTEMPT_WORDS = 6 // the id, and the token, as bindings/node/lib/step.js has them
const QUIET = { log: false, leaseMs: 1000, retry: { baseMs: 1, capMs: 5, jitterPercent: 0 } }
const storeOf = (world) => path.join(world.directory, 's.db')

async function open(world, more = {}) {
  world.app = await Stepbus.open({ store: storeOf(world), ...QUIET, ...more })
  world.acknowledged ??= new Map()
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)

/** What was acknowledged is in the store, once, in the state it must have; and nothing else. */
async function audit(world, find, { isLoose = false } = {}) {
  const app = await Stepbus.open({ store: storeOf(world), ...QUIET })
  try {
    const { steps } = await app.list({ limit: 500 })
    const found = new Map(steps.map((step) => [step.stepId, step]))
    if (found.size !== steps.length) find('a step is listed twice')
    for (const [id, state] of world.acknowledged) {
      const step = found.get(id)
      if (step === undefined) find(`the acknowledged step ${id} is lost`)
      else if (state !== undefined && step.state !== state) find(`step ${id} is ${step.state} and should be ${state}`)
      found.delete(id)
    }
    if (found.size > (isLoose ? world.unknownMax ?? 0 : 0)) find(`${found.size} steps are there that nobody was told of`)
  } finally {
    await app.close()
  }
}

/** Closes; where that is refused, once more, and says that it was. */
async function closeAtLast(app) {
  try {
    await app.close({ timeout: 2000 })
  } catch (error) {
    await atLast(() => app.close())
    throw error
  }
}

/** Memory comes back; until then it is asked for again. */
async function atLast(call) {
  for (let i = 0; i < 100; i++) {
    try {
      return await call()
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return call()
}

async function close(world) {
  const { app } = world
  world.app = undefined
  await app?.close({ timeout: 2000 })
}

async function closeAndAudit(world, find, options) {
  await close(world)
  await audit(world, find, options)
}

async function enqueue(world, name, input, options) {
  const id = await world.app.enqueue(name, input, options)
  world.acknowledged.set(id, undefined)
  return id
}

/** Runs until these are final; what they gave. */
async function runUntil(world, ids, options) {
  const worker = world.app.worker(options)
  const running = worker.run()
  running.catch(() => {})
  try {
    return await Promise.race([
      Promise.all(ids.map((id) => world.app.result(id, { timeout: 8000 }).then((value) => value, (error) => {
        if (error.code !== 'STEPBUS_EHANDLER' && error.code !== 'STEPBUS_ECANCELLED') throw error
        return error.code
      }))),
      running.then(() => { throw new Error('run() ended') }),
    ])
  } finally {
    await worker.close({ timeout: 2000 })
  }
}

function countRuns(world) {
  world.runs = new Map()
  return (step) => world.runs.set(step.id, (world.runs.get(step.id) ?? 0) + 1)
}

const scenarios = {
  open: {
    async act(world) {
      world.acknowledged = new Map()
      await open(world)
      const id = await enqueue(world, 'x', 1)
      return [typeof id, (await world.app.info(id)).state]
    },
    check(world, value, find) {
      if (!same(value, ['string', 'ready'])) find(`a step is ${value}`)
    },
    async end(world, find) {
      world.unknownMax = world.error?.code === 'STEPBUS_ESYSTEM' ? 1 : 0
      world.acknowledged ??= new Map()
      await closeAndAudit(world, find, { isLoose: true })
    },
    isOnce: true,
  },

  clockAndLog: {
    async begin(world) { world.log = [] },
    async act(world) {
      const app = await Stepbus.open({ store: 'memory:', log: (record) => world.log.push(record), logLevel: 'debug', testClock: 1700000000000 })
      try {
        const before = app.clock.now().getTime()
        await app.clock.advance(5000)
        return app.clock.now().getTime() - before
      } finally {
        await closeAtLast(app)
      }
    },
    check(world, value, find) { if (value !== 5000) find(`the clock went on by ${value}`) },
  },

  register: {
    begin: open,
    async act(world, isAgain) {
      const name = isAgain ? 'other' : 'one'
      world.app.step(name, { version: '1.2.0', retry: { attempts: 2 }, timeout: 1000, capabilities: ['a', 'b'], description: 'd' }, () => 1)
      return (await world.app.handlers()).filter((each) => each.name === name).length
    },
    check(world, value, find) { if (value !== 1) find(`${value} handlers were registered`) },
    end: closeAndAudit,
  },

  enqueue: {
    begin: open,
    async act(world) {
      const ids = await Promise.all([
        enqueue(world, 'x', { a: 1 }, { tags: ['t'], priority: 3 }),
        world.app.enqueueMany([{ name: 'y', input: Buffer.from('b') }, { name: 'y' }]).then((each) => {
          for (const id of each) world.acknowledged.set(id, 'ready')
          return each[0]
        }),
      ])
      return new Set(ids).size
    },
    check(world, value, find) { if (value !== 2) find(`${value} ids`) },
    async end(world, find) {
      // An error that says "was done" leaves them; one that says ENOMEM does not.
      world.unknownMax = world.error?.code === 'STEPBUS_ESYSTEM' ? 3 : 0
      await closeAndAudit(world, find, { isLoose: true })
    },
  },

  enqueueRefused: {
    begin: open,
    async act(world) {
      const outcomes = await Promise.allSettled([
        enqueue(world, 'x', 1),
        world.app.enqueue('not a name', 2),
        enqueue(world, 'x', 3),
      ])
      for (const { status, reason } of outcomes) if (status === 'rejected' && reason.code !== 'STEPBUS_EINVAL') throw reason
      return outcomes.map(({ status }) => status)
    },
    check(world, value, find) {
      if (!same(value, ['fulfilled', 'rejected', 'fulfilled'])) find(`groups: ${value}`)
    },
    async end(world, find) {
      world.unknownMax = world.error?.code === 'STEPBUS_ESYSTEM' ? 2 : 0
      await closeAndAudit(world, find, { isLoose: true })
    },
  },

  queries: {
    async begin(world) {
      await open(world)
      world.app.step('x', () => 1)
      world.id = await enqueue(world, 'x', 1)
    },
    async act(world) {
      const { app, id } = world
      return [
        (await app.info(id)).stepId === id, (await app.attempts(id)).length, (await app.list()).steps.length,
        await app.count(), typeof (await app.stats()), (await app.handlers()).length, typeof (await app.workers()),
        typeof (await app.queues.list()), typeof (await app.cron.list()),
      ]
    },
    check(world, value, find) {
      if (!same(value, [true, 0, 1, 1, 'object', 1, 'object', 'object', 'object'])) find(`answers: ${JSON.stringify(value)}`)
    },
    end: closeAndAudit,
  },

  control: {
    async begin(world) {
      await open(world)
      world.app.step('x', () => 1)
      world.ids = await world.app.enqueueMany([{ name: 'x' }, { name: 'x' }, { name: 'x' }])
      for (const id of world.ids) world.acknowledged.set(id, undefined)
    },
    async act({ app, ids }) {
      const ignore = (error) => { if (!['STEPBUS_EALREADY', 'STEPBUS_ENOTFOUND'].includes(error.code)) throw error }
      await app.cancel(ids[0]).catch(ignore)
      await app.redrive(ids[0]).catch(ignore)
      await app.cancel(ids[1]).catch(ignore)
      await app.redriveAll({ state: 'cancelled' })
      await app.queues.set('q', { paused: false })
      await app.queues.pause('q')
      await app.queues.resume('q')
      await app.cron.set({ name: 'c', expression: '@daily', step: { handler: 'x' } })
      const entries = await app.cron.list()
      await app.cron.remove('c').catch(ignore)
      await app.wake()
      return [await app.count({ state: 'cancelled' }), await app.count(), entries.length]
    },
    check(world, value, find) { if (!same(value, [0, 3, 1])) find(`counts: ${value}`) },
    end: closeAndAudit,
  },

  runSync: {
    async begin(world) {
      await open(world)
      const ran = countRuns(world)
      world.app.step('double', (n, step) => { ran(step); return 2 * n })
      world.app.step('bad', () => { throw Object.assign(new Error('no'), { metadata: { a: 1 } }) })
    },
    async act(world) {
      if (world.ids === undefined) {
        world.inputs = await Promise.allSettled([enqueue(world, 'double', 3), enqueue(world, 'double', 4), enqueue(world, 'bad', 1, { retry: { attempts: 2 } })])
        const failed = world.inputs.find(({ status }) => status === 'rejected')
        if (failed !== undefined) throw failed.reason
        world.ids = world.inputs.map(({ value }) => value)
      }
      return runUntil(world, world.ids)
    },
    check(world, value, find) {
      if (!same(value, [6, 8, 'STEPBUS_EHANDLER'])) find(`results: ${value}`)
      for (const id of world.ids.slice(0, 2)) if (world.runs.get(id) !== 1) find(`a step ran ${world.runs.get(id)} times`)
      world.ids.forEach((id, i) => world.acknowledged.set(id, i < 2 ? 'completed' : 'failed'))
    },
    async end(world, find) {
      world.unknownMax = world.error?.code === 'STEPBUS_ESYSTEM' ? 3 : 0
      await closeAndAudit(world, find, { isLoose: true })
    },
  },

  runOnly: {
    async begin(world) {
      await open(world)
      const ran = countRuns(world)
      world.app.step('double', (n, step) => { ran(step); return 2 * n })
      world.app.step('wait', async (n, step) => {
        ran(step)
        await new Promise((resolve) => setImmediate(resolve))
        try {
          step.heartbeat()
        } catch (error) {
          if (!['STEPBUS_ENOMEM', 'STEPBUS_ESYSTEM', 'STEPBUS_EINVAL'].includes(error.code)) throw error
        }
        return n
      })
      world.ids = await world.app.enqueueMany([{ name: 'double', input: 1 }, { name: 'wait', input: 7 }, { name: 'double', input: 2 }])
    },
    act: (world) => runUntil(world, world.ids, { concurrency: 2 }),
    check(world, value, find) {
      if (!same(value, [2, 7, 4])) find(`results: ${value}`)
      for (const id of world.ids) {
        if (world.runs.get(id) !== 1) find(`a step ran ${world.runs.get(id)} times`)
        world.acknowledged.set(id, 'completed')
      }
    },
    end: closeAndAudit,
  },

  runLate: {
    // The worker sleeps when the steps come, so that its descriptor has to wake it.
    async begin(world) {
      await open(world)
      const ran = countRuns(world)
      world.app.step('double', (n, step) => { ran(step); return 2 * n })
      world.worker = world.app.worker()
      world.worker.run().catch((error) => { world.refusal = error })
      // It has begun when it has run a step; and then it turns to its descriptor.
      const first = await enqueue(world, 'double', 1)
      await world.app.result(first, { timeout: 8000 })
      world.acknowledged.set(first, 'completed')
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
    },
    async act(world) {
      const id = await enqueue(world, 'double', 21)
      world.ids = [id]
      return [await world.app.result(id, { timeout: 8000 })]
    },
    check(world, value, find) {
      if (!same(value, [42])) find(`results: ${value}`)
      if (world.runs.get(world.ids[0]) !== 1) find(`a step ran ${world.runs.get(world.ids[0])} times`)
      world.acknowledged.set(world.ids[0], 'completed')
    },
    async end(world, find) {
      world.unknownMax = world.error?.code === 'STEPBUS_ESYSTEM' ? 1 : 0
      await closeAndAudit(world, find, { isLoose: true })
    },
  },

  checkpoint: {
    async begin(world) {
      await open(world)
      world.app.step('parts', async (input, step) => {
        const cursor = step.cursor ?? 0
        if (cursor < 2) return step.checkpoint({ cursor: cursor + 1, itemsProcessed: 1 })
        return cursor
      })
      world.ids = [await enqueue(world, 'parts', 1)]
    },
    act: (world) => runUntil(world, world.ids),
    check(world, value, find) {
      if (!same(value, [2])) find(`results: ${value}`)
      world.acknowledged.set(world.ids[0], 'completed')
    },
    end: closeAndAudit,
  },

  loop: {
    async begin(world) {
      await open(world)
      world.app.step('x', () => 1)
      world.ids = await world.app.enqueueMany([{ name: 'x', input: 1 }, { name: 'x', input: 2 }, { name: 'x', input: 3 }])
    },
    async act(world) {
      const worker = world.app.worker()
      const seen = world.seen ??= new Set()
      try {
        if (seen.size < world.ids.length) for await (const step of worker) {
          await step.complete(step.input)
          seen.add(step.id)
          if (seen.size === world.ids.length) break
        }
        return await Promise.all(world.ids.map((id) => world.app.result(id, { timeout: 5000 })))
      } finally {
        await worker.close({ timeout: 2000 })
      }
    },
    check(world, value, find) {
      if (!same(value, [1, 2, 3])) find(`results: ${value}`)
      for (const id of world.ids) world.acknowledged.set(id, 'completed')
    },
    end: closeAndAudit,
  },

  results: {
    async begin(world) {
      await open(world)
      world.app.step('ok', () => ({ fine: true }))
      world.app.step('bytes', () => Buffer.from('abc'))
      world.ids = [await enqueue(world, 'ok'), await enqueue(world, 'bytes')]
      await runUntil(world, world.ids)
      for (const id of world.ids) world.acknowledged.set(id, 'completed')
    },
    act: (world) => Promise.all([...world.ids.map((id) => world.app.result(id, { timeout: 5000 })),
      world.app.result('01900000-0000-7000-8000-000000000000', { timeout: 0 }).catch((error) => {
        if (error.code !== 'STEPBUS_ENOTFOUND') throw error
        return 'none'
      })]),
    check(world, value, find) {
      if (!same(value[0], { fine: true }) || String(value[1]) !== 'abc' || value[2] !== 'none') find(`results: ${JSON.stringify(value)}`)
    },
    end: closeAndAudit,
  },

  worker: {
    async begin(world) {
      await open(world)
      world.engine = undefined
    },
    async act(world) {
      const engine = await native.open(JSON.stringify({ store: 'memory:' }), undefined, 4, undefined)
      try {
        const worker = await native.startWorker(engine, '{"pull":true}')
        native.watch(worker, () => {})
        native.watching(worker, true)
        native.watching(worker, false)
        const { pendingCount, oldestStepId } = native.metrics(worker)
        native.check(engine, new Uint32Array(ATTEMPT_WORDS)) // an attempt that nobody has
        if (native.poll(worker, 4) !== undefined) throw new Error('a step came out of nothing')
        await native.stopWorker(worker, 0)
        await native.freeWorker(worker)
        await native.stop(engine, 0)
        return [pendingCount, oldestStepId.length]
      } finally {
        await atLast(() => native.close(engine))
      }
    },
    check(world, value, find) { if (!same(value, [0, 36])) find(`metrics: ${value}`) },
    end: closeAndAudit,
  },

  words: {
    act: () => [native.statusName(3), typeof buildInfo().version],
    check(world, value, find) { if (!same(value, ['STEPBUS_ENOTFOUND', 'string'])) find(`words: ${value}`) },
  },

  close: {
    async begin(world) {
      await open(world)
      world.app.step('slow', () => new Promise((resolve) => setImmediate(() => resolve('done'))))
      world.ids = await world.app.enqueueMany([{ name: 'slow' }, { name: 'slow' }])
      for (const id of world.ids) world.acknowledged.set(id, undefined)
      world.app.run().catch(() => {})
      await new Promise((resolve) => setImmediate(resolve))
    },
    act: (world) => world.app.close({ timeout: 2000 }), // once more, where it was refused
    async end(world, find) {
      world.app = undefined
      await audit(world, find)
    },
  },

  thread: {
    // Loads the addon once more, in an environment of its own, which ends with an engine open.
    act: () => new Promise((resolve, reject) => {
      const thread = new Thread(`
        const { parentPort } = require('node:worker_threads')
        try {
          const { Stepbus } = require(${JSON.stringify(path.join(lib, 'index.js'))})
          Stepbus.open({ store: 'memory:', log: false }).then(
            () => parentPort.postMessage({ ok: true }),
            (error) => parentPort.postMessage({ code: error.code, message: error.message }))
        } catch (error) {
          parentPort.postMessage({ code: error.code, cause: error.cause?.code, message: error.message })
        }`, { eval: true, env: process.env })
      let answer
      thread.on('message', (message) => { answer = message })
      thread.on('error', reject)
      thread.on('exit', () => {
        if (answer?.ok) resolve(true)
        else reject(Object.assign(new Error(answer?.message ?? 'the thread said nothing'), { code: answer?.cause ?? answer?.code }))
      })
    }),
    check(world, value, find) { if (value !== true) find('it was not loaded') },
  },
}

/** Faults as a binding could have them; each must be found. */
function planted(spoil) {
  return {
    async begin(world) {
      await open(world)
      world.id = await enqueue(world, 'x', 1)
    },
    async act(world, isAgain) {
      try {
        return await world.app.info(world.id)
      } catch (error) {
        if (isAgain) throw error
        return spoil(world, error)
      }
    },
    end: closeAndAudit,
    kinds: ['memory'],
  }
}

Object.assign(scenarios, {
  plantedLoss: planted((world) => { world.acknowledged.set('00000000-0000-7000-8000-000000000000', undefined) }),
  plantedDouble: planted((world, error) => world.app.enqueue('x', 1).then(() => { throw error })),
  plantedCrash: planted(() => process.abort()),
  plantedHang: planted(() => new Promise(() => {})),
  plantedError: planted(() => { throw new TypeError('undefined is no object') }),
  plantedLeak: planted((world, error) => Stepbus.open({ store: 'memory:', log: false }).then((app) => {
    scenarios.leaked = (scenarios.leaked ?? []).concat(app)
    throw error
  })),
})
Object.defineProperty(scenarios, 'leaked', { enumerable: false, writable: true, value: [] })

module.exports = scenarios
