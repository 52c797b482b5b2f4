// SPDX-License-Identifier: MIT
// What hosts do to a library: answer twice or too late, drop it, end in the middle of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { Stepbus } from '../lib/index.mjs'
import { open, run, folder, deferred, until, library } from './box.mjs'

// Holds the right to write until its input ends.
const LOCKER = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
sys.stdin.read()
db.execute('COMMIT')
`
const hasPython = () => spawnSync('python3', ['-c', 'import sqlite3']).status === 0

test('a step is answered once', async (t) => {
  const { app, log } = await open(t)
  app.step('a')
  await app.enqueue('a')
  for await (const step of app.worker()) {
    const first = step.complete(1)
    await assert.rejects(step.complete(1), { code: 'STEPBUS_EALREADY' })
    await assert.rejects(step.fail(new Error('x')), { code: 'STEPBUS_EALREADY' })
    assert.throws(() => step.heartbeat(), { code: 'STEPBUS_EALREADY' })
    await first
    step.complete(2) // nobody looks at the promise, and the process goes on
    break
  }
  await until(() => log.some(({ level, message }) => level === 'warn' && /answered before/.test(message)))
})

test('a step that is kept after its worker was closed is refused', async (t) => {
  const { app } = await open(t)
  app.step('a')
  const id = await app.enqueue('a', { n: 1 })
  let kept
  const worker = app.worker()
  for await (const step of worker) {
    kept = step
    break
  }
  await worker.close({ timeout: 10 })
  assert.equal(kept.id, id)
  assert.deepEqual(kept.input, { n: 1 })
  await assert.rejects(kept.complete(1), { code: 'STEPBUS_ESHUTDOWN' })
  assert.ok(kept.signal.aborted)
  await app.close()
  await assert.rejects(kept.release(), { code: 'STEPBUS_ESHUTDOWN' })
  assert.throws(() => kept.heartbeat(), { code: 'STEPBUS_ESHUTDOWN' })
})

test('everything is refused after close', async (t) => {
  const { app } = await open(t)
  app.step('a', () => 1)
  const id = await app.enqueue('a')
  const waiting = app.result(id)
  waiting.catch(() => {})
  await Promise.all([app.close(), app.close()])
  await assert.rejects(waiting, { code: 'STEPBUS_ESHUTDOWN' })
  const closed = { code: 'STEPBUS_ESHUTDOWN', status: 12 }
  const calls = [() => app.enqueue('a'), () => app.enqueueMany([{ name: 'a' }]), () => app.result(id), () => app.cancel(id), () => app.info(id), () => app.stats(), () => app.queues.list(), () => app.run(), () => app.cron.list()]
  for (const call of calls) await assert.rejects(call(), closed)
  assert.throws(() => app.worker(), closed)
  assert.throws(() => app.step('b', () => 1), closed)
})

test('what goes out of scope is closed, where the language has that', { skip: Symbol.asyncDispose === undefined }, async (t) => {
  const { app } = await open(t)
  app.step('a', () => 1)
  const worker = app.worker()
  const run = worker.run()
  await worker[Symbol.asyncDispose]()
  await run
  await app[Symbol.asyncDispose]()
  assert.ok(app.isClosed)
})

test('a store that is locked by others is busy for all, and then goes on', { skip: !hasPython() }, async (t) => {
  const path = join(folder(t), 'jobs.db')
  const app = await Stepbus.open({ store: path, durability: 'process', busyTimeoutMs: 200, log: false })
  t.after(() => app.close())
  app.step('a', (input) => input)
  app.run()
  const first = await app.enqueue('a', 'before')
  await app.result(first)
  const locker = spawn('python3', ['-c', LOCKER, path], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => locker.once('exit', resolve))
  await new Promise((resolve) => locker.stdout.once('data', resolve))
  const began = Date.now()
  const found = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => app.enqueue('a', i)))
  assert.ok(Date.now() - began < 10000)
  assert.ok(found.every(({ reason }) => reason?.code === 'STEPBUS_EBUSY'), JSON.stringify(found[0]))
  locker.stdin.end()
  await ended
  assert.equal(await app.result(await app.enqueue('a', 'after')), 'after')
})

test('what was asked for before close is done', async (t) => {
  const path = join(folder(t), 'jobs.db')
  const app = await Stepbus.open({ store: path, log: false })
  const asked = [app.enqueue('a'), app.enqueue('b'), app.stats()]
  const closed = app.close()
  await Promise.all(asked)
  await closed
})

test('a worker that is closed while it starts does not stay', async (t) => {
  const { app } = await open(t)
  app.step('a', () => 1)
  const worker = app.worker()
  const run = worker.run()
  await worker.close()
  await run
  assert.equal((await app.workers()).filter(({ isActive }) => isActive).length, 0)
  await assert.rejects(worker.run(), { code: 'STEPBUS_ESHUTDOWN' })
})

test('stepbus closed in the middle of many steps loses none', async (t) => {
  const path = join(folder(t), 'jobs.db')
  const seen = new Map()
  for (let i = 0; i < 4; i++) {
    const app = await Stepbus.open({ store: path, durability: 'process', log: false })
    app.step('a', async (input) => { seen.set(input, (seen.get(input) ?? 0) + 1) })
    if (i === 0) await app.enqueueMany(Array.from({ length: 3000 }, (_, input) => ({ name: 'a', input })))
    const run = app.run({ concurrency: 64 })
    if (i < 3) await until(() => seen.size > (i + 1) * 200)
    else await until(async () => (await app.count({ state: 'completed' })) === 3000)
    await app.close()
    await run
  }
  assert.equal(seen.size, 3000)
  assert.ok([...seen.values()].every((count) => count === 1))
})

test('a log that throws does no harm', async (t) => {
  const warned = deferred()
  process.once('warning', warned.resolve)
  const { app } = await open(t, { log: () => { throw new Error('log') } })
  app.step('a', () => 1)
  app.run()
  assert.equal(await app.result(await app.enqueue('a')), 1)
  assert.match((await warned.promise).message, /log function of stepbus threw: log/)
})

test('the signals end the program when its steps are done', async (t) => {
  const found = await run(t, `
    const app = await Stepbus.open({ store: process.argv[2], log: false })
    app.step('slow', async () => { console.log('began'); await new Promise((r) => setTimeout(r, 150)); return 'done' })
    const id = await app.enqueue('slow')
    const result = app.result(id)
    await app.run({ signals: true })
    console.log('result', await result)
    process.on('exit', (code) => console.log('ended', code, app.isClosed))
  `, { args: [join(folder(t), 'jobs.db')], control: (child) => child.stdout.once('data', () => child.kill('SIGTERM')) })
  assert.deepEqual([found.code, found.signal], [0, null], found.err)
  assert.match(found.out, /began\nresult done\nended 0 true/)
})

test('a second signal waits for nothing', async (t) => {
  const path = join(folder(t), 'jobs.db')
  const found = await run(t, `
    const app = await Stepbus.open({ store: process.argv[2], log: false })
    app.step('stuck', () => { console.log('began'); return new Promise(() => {}) })
    await app.enqueue('stuck')
    await app.run({ signals: true })
    console.log('ended')
  `, {
    args: [path],
    control: (child) => child.stdout.once('data', () => {
      child.kill('SIGTERM')
      setTimeout(() => child.kill('SIGTERM'), 100)
    }),
  })
  assert.equal(found.out, 'began\nended\n', found.err)
  const app = await Stepbus.open({ store: path, log: false })
  const { steps: [step] } = await app.list()
  assert.deepEqual([step.state, step.attemptCount], ['ready', 0])
  await app.close()
})

const endings = {
  'process.exit': ['process.exit(3)', 3],
  'process.exit in a handler': ['app.step("exit", () => process.exit(4)); await app.enqueue("exit"); await new Promise(() => {})', 4],
  'an uncaught exception': ['setImmediate(() => { throw new Error("uncaught") }); await new Promise(() => {})', 1],
  'an unhandled rejection': ['Promise.reject(new Error("unhandled")); await new Promise(() => {})', 1],
  'process.exit while much is on its way': ['for (let i = 0; i < 500; i++) { app.enqueue("a", i); app.stats().catch(() => {}) }; setTimeout(() => process.exit(5), 5); await new Promise(() => {})', 5],
  'process.exit while it closes': ['app.close(); setImmediate(() => process.exit(6)); await new Promise(() => {})', 6],
  'SIGKILL': ['process.kill(process.pid, "SIGKILL"); await new Promise(() => {})', null],
}
for (const [name, [source, code]] of Object.entries(endings)) {
  test(`${name} with running steps loses nothing`, async (t) => {
    const path = join(folder(t), 'jobs.db')
    const found = await run(t, `
      const app = await Stepbus.open({ store: process.argv[2], leaseMs: 1000, heartbeatMs: 200, durability: 'process', log: false })
      app.step('held', () => new Promise(() => {}))
      app.step('a', (input) => input)
      const ids = await app.enqueueMany(Array.from({ length: 5 }, (_, input) => ({ name: 'held', input })))
      app.run()
      while ((await app.count({ state: 'running' })) < 5);
      ${source}
    `, { args: [path] })
    assert.equal(found.code, code, found.err)
    assert.equal(found.signal, code === null ? 'SIGKILL' : null, found.err)
    const app = await Stepbus.open({ store: path, leaseMs: 1000, heartbeatMs: 200, retry: { kind: 'fixed', baseMs: 1 }, log: false })
    t.after(() => app.close())
    const inputs = []
    app.step('held', (input) => { inputs.push(input) })
    app.step('a', () => 1)
    app.step('exit', () => 1)
    app.run()
    await until(async () => (await app.count({ handler: 'held', state: 'completed' })) === 5)
    assert.deepEqual(inputs.sort(), [0, 1, 2, 3, 4])
  })
}

test('a program that has nothing to do ends', async (t) => {
  const found = await run(t, `
    const app = await Stepbus.open('memory:')
    await app.enqueue('a')
    process.on('exit', (code) => console.log('ended', code))
  `)
  assert.deepEqual([found.out, found.code], ['ended 0\n', 0], found.err)
})

test('a program with a worker that waits goes on', async (t) => {
  const found = await run(t, `
    const app = await Stepbus.open('memory:')
    app.step('a', () => 1)
    app.run({ signals: true })
    setTimeout(() => process.kill(process.pid, 'SIGINT'), 200).unref()
    process.on('exit', (code) => console.log('ended', code, app.isClosed))
  `)
  assert.deepEqual([found.out, found.code], ['ended 0 true\n', 0], found.err)
})

test('the garbage collector takes nothing that is used', async (t) => {
  const found = await run(t, `
    const path = process.argv[2]
    let app = await Stepbus.open({ store: path, durability: 'process', log: false })
    let count = 0
    app.step('a', async (input) => { await new Promise((r) => setTimeout(r, 1)); count++; return input })
    let ids = await app.enqueueMany(Array.from({ length: 500 }, (_, input) => ({ name: 'a', input })))
    let results = Promise.all(ids.map((id) => app.result(id)))
    app.run()
    app = ids = undefined
    const collect = setInterval(() => globalThis.gc(), 1)
    const values = await results
    clearInterval(collect)
    console.log(count, values.every((value, i) => value === i))
    process.exit()
  `, { flags: ['--expose-gc'], args: [join(folder(t), 'jobs.db')] })
  assert.equal(found.out, '500 true\n', found.err)
})

test('an engine that is forgotten is closed', async (t) => {
  const found = await run(t, `
    import { readdirSync, readFileSync } from 'node:fs'
    const nameOf = (thread) => { try { return readFileSync('/proc/self/task/' + thread + '/comm', 'latin1') } catch { return '' } }
    const threads = () => readdirSync('/proc/self/task').filter((thread) => nameOf(thread).startsWith('stepbus')).length
    const forget = async () => { const app = await Stepbus.open({ store: 'memory:', log: false }); await app.enqueue('a') }
    for (let i = 0; i < 5; i++) await forget()
    const most = threads()
    for (let i = 0; i < 500 && threads() > 0; i++) { globalThis.gc(); await new Promise((r) => setTimeout(r, 10)) }
    console.log(most >= 5, threads())
  `, { flags: ['--expose-gc'] })
  assert.equal(found.out, 'true 0\n', found.err)
})

test('steps, their signals and buffers outlive what made them', async (t) => {
  const found = await run(t, `
    const app = await Stepbus.open({ store: 'memory:', log: false })
    app.step('a')
    await app.enqueueMany(Array.from({ length: 100 }, (_, i) => ({ name: 'a', input: Buffer.alloc(1000, i) })))
    const kept = []
    for await (const step of app.worker({ prefetch: 100, concurrency: 100 })) {
      kept.push([step.input, step.signal])
      step.complete()
      if (kept.length === 100) break
    }
    await app.close()
    for (let i = 0; i < 10; i++) { globalThis.gc(); await new Promise((r) => setImmediate(r)) }
    console.log(kept.every(([input], i) => input.length === 1000 && input[999] === input[0]), new Set(kept.map(([input]) => input[0])).size)
  `, { flags: ['--expose-gc'] })
  assert.equal(found.out, 'true 100\n', found.err)
})

test('worker threads each have engines of their own, and may be terminated', async (t) => {
  const found = await run(t, `
    import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
    import { fileURLToPath } from 'node:url'
    const store = process.argv[2] ?? workerData
    const app = await Stepbus.open({ store, durability: 'process', log: false })
    app.step('a', async (input) => { await null; return input })
    if (isMainThread) {
      const workers = Array.from({ length: 3 }, () => new Worker(fileURLToPath(import.meta.url), { workerData: store, argv: [] }))
      await Promise.all(workers.map((each) => new Promise((r) => each.once('message', r))))
      const ids = await app.enqueueMany(Array.from({ length: 300 }, (_, input) => ({ name: 'a', input })))
      const results = await Promise.all(ids.map((id) => app.result(id)))
      console.log(results.every((value, i) => value === i))
      await workers[0].terminate()
      workers[1].postMessage('exit')
      workers[2].postMessage('close')
      await Promise.all(workers.slice(1).map((each) => new Promise((r) => each.once('exit', r))))
      const last = await app.enqueue('a', 'last')
      app.run()
      console.log(await app.result(last))
      await app.close()
      console.log('closed')
    } else {
      parentPort.on('message', async (message) => {
        if (message === 'exit') process.exit()
        await app.close()
        parentPort.close()
      })
      app.run()
      parentPort.postMessage('ready')
    }
  `, { args: [join(folder(t), 'jobs.db')] })
  assert.equal(found.out, 'true\nlast\nclosed\n', found.err)
  assert.equal(found.code, 0, found.err)
})

test('a child of fork has an engine of its own on the same store', async (t) => {
  const path = join(folder(t), 'jobs.db')
  const found = await run(t, `
    import { fork } from 'node:child_process'
    import { fileURLToPath } from 'node:url'
    const app = await Stepbus.open({ store: process.argv[2], durability: 'process', log: false })
    if (process.argv[3] === 'child') {
      app.step('a', (input) => 'child ' + input)
      process.on('disconnect', () => app.close())
      await app.run()
    } else {
      const child = fork(fileURLToPath(import.meta.url), [process.argv[2], 'child'])
      console.log(await app.result(await app.enqueue('a', 1)))
      child.disconnect()
      await new Promise((r) => child.on('exit', r))
      await app.close()
    }
  `, { args: [path] })
  assert.equal(found.out, 'child 1\n', found.err)
})

test('one thread in the pool is enough', async (t) => {
  const found = await run(t, `
    const app = await Stepbus.open({ store: 'memory:', log: false })
    app.step('a', async (input) => input)
    const ids = await app.enqueueMany(Array.from({ length: 50 }, (_, input) => ({ name: 'a', input })))
    const waiting = ids.map((id) => app.result(id))
    app.run()
    await Promise.all(waiting)
    await app.close()
    console.log('done')
  `, { env: { UV_THREADPOOL_SIZE: '1' } })
  assert.equal(found.out, 'done\n', found.err)
})

test('the package is loaded by import and by require', async (t) => {
  const found = await run(t, `
    import { createRequire } from 'node:module'
    const required = createRequire(import.meta.url)(${JSON.stringify(library.replace('file://', '').replace('.mjs', '.js'))})
    console.log(required.Stepbus === Stepbus)
  `)
  assert.equal(found.out, 'true\n', found.err)
})
