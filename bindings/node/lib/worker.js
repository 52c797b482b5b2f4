// SPDX-License-Identifier: MIT
// A worker: takes steps out of the library when its descriptor says that there are some, a batch at a
// time, and runs their handlers (run) or hands them to a loop (for await). All on the event loop, of
// which it takes no more than a slice at a time.
'use strict'

const native = require('./native.js')
const { StepbusError, Snooze, Permanent, nameOf } = require('./errors.js')
const { layouts } = require('./record.js')
const { encode } = require('./content.js')
const { describeFailure, isA, read } = require('./failure.js')
const { check, integer, toDocument } = require('./options.js')
const { Step, inner, reasonOf } = require('./step.js')

const { at, stride } = layouts.event
const ATTEMPT_WORDS = 6
const OK = 0
const EINVAL = 1
const SHUTDOWN = 12
const CONCURRENCY = 16
const CONCURRENCY_MAX = 40000
const BLOCK_SIZE = 256
// The library hands out no more steps than 4 blocks and this while none is answered.
const OUT_MORE = 64
const SLICE_MS = 2
const CHECK_MS = 50
const BUSY_MS = 20
const DRAIN_MS = 30000
const OPTIONS = [
  'id', 'strategy', 'queues', 'capabilities', 'blockSize', 'ageSharePercent', 'silenceTimeoutMs',
  'starvationMs', 'metricsPeriodMs', 'concurrency', 'prefetch',
]

const isThenable = (value) => value !== null && (typeof value === 'object' || typeof value === 'function') &&
  typeof value.then === 'function'

/** What became of an answer that a handler gave; the same for all of a worker. */
class HandlerAnswer {
  constructor(worker, step) {
    this.worker = worker
    this.step = step
  }

  settle(status, error) {
    this.worker.settled(this.step, status, error, false)
  }
}

class Worker {
  isInner = true
  #app
  #handle = 0
  #starting = null
  #config
  #concurrency
  #prefetch
  #outMax
  #mode = 'new'
  #running = new Set() // out, and not answered
  #unsettledCount = 0
  #backlog = [] // polled, and not begun
  #isWatching = false
  #isFull = false
  #isScheduled = false
  #checker = null
  #retryTimer = null
  #closing = null
  #isReleasing = false
  #idle = []
  #end = null // resolves run()
  #takers = [] // loops that wait for a step
  #ready = [] // steps for them

  constructor(app, options = {}) {
    check(options, 'the options of a worker', OPTIONS)
    const { concurrency = CONCURRENCY, prefetch = 1, ...config } = options
    this.#app = app
    this.#concurrency = integer(concurrency, 'concurrency', 1, CONCURRENCY_MAX)
    this.#prefetch = integer(prefetch, 'prefetch', 1, CONCURRENCY_MAX)
    const { blockSize = Math.max(BLOCK_SIZE, Math.ceil(this.#concurrency / 4)) } = config
    this.#outMax = 4 * integer(blockSize, 'blockSize', 1) + OUT_MORE
    this.#config = JSON.stringify({ ...toDocument({ ...config, blockSize }), pull: true })
    app.workers.add(this)
  }

  get outbox() { return this.#app.outbox }
  get engine() { return this.#app.engine }
  get isClosing() { return this.#closing !== null }
  get runningCount() { return this.#running.size }

  tell(level, message, details) {
    this.#app.tell(level, message, details)
  }

  #start() {
    this.#starting ??= (async () => {
      try {
        this.#handle = await this.#app.use((engine) => native.startWorker(engine, this.#config))
        native.watch(this.#handle, () => this.#pump())
      } catch (error) {
        this.#app.workers.delete(this)
        throw StepbusError.from(error)
      }
    })()
    return this.#starting
  }

  #enter(mode) {
    if (this.isClosing) throw new StepbusError('STEPBUS_ESHUTDOWN', 'the worker was closed')
    if (this.#mode !== 'new' && (this.#mode !== mode || mode === 'run')) {
      throw new StepbusError('STEPBUS_EALREADY', `the worker is in use already: it is ${this.#mode === 'run' ? 'running handlers' : 'read by a loop'}`)
    }
    this.#mode = mode
  }

  /** Runs the registered handlers until the worker is closed. */
  async run() {
    this.#enter('run')
    this.#app.checkHandlers()
    await this.#start()
    if (this.isClosing) return this.#closing
    return new Promise((resolve, reject) => {
      this.#end = { resolve, reject }
      this.#watch(true)
    })
  }

  /** Hands out the steps of all registered names, one at a time. */
  [Symbol.asyncIterator]() {
    this.#enter('loop')
    return {
      next: () => this.#next(),
      return: async (value) => {
        for (const step of this.#ready.splice(0)) step.release()
        return { done: true, value }
      },
      [Symbol.asyncIterator]() { return this },
    }
  }

  async #next() {
    await this.#start()
    if (this.#ready.length > 0) return { done: false, value: this.#ready.shift() }
    if (this.isClosing) return { done: true, value: undefined }
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject })
      this.#pumpSoon()
    })
  }

  #watch(isWatched) {
    if (this.#isWatching === isWatched || this.#handle === 0) return
    this.#isWatching = isWatched
    native.watching(this.#handle, isWatched)
  }

  #pumpSoon() {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  /** How many more steps may be out. */
  #room() {
    const running = this.#running.size
    const room = Math.min(this.#concurrency - running, this.#outMax - running - this.#unsettledCount)
    return this.#mode === 'loop' ? Math.min(room, this.#takers.length > 0 ? this.#prefetch : 0) : room
  }

  #pump() {
    if (this.isClosing) {
      this.#watch(false)
      return
    }
    if (this.#backlog.length === 0 && !this.#poll()) return
    this.#work()
    this.#isFull = this.#room() <= 0
    this.#watch(!this.#isFull && this.#backlog.length === 0)
    if (this.#backlog.length > 0) this.#pumpSoon()
  }

  /** Whether there are steps to work on now. */
  #poll() {
    const room = this.#room()
    this.#isFull = room <= 0
    if (this.#isFull || this.#retryTimer !== null) {
      this.#watch(false)
      return false
    }
    let batches
    try {
      batches = native.poll(this.#handle, room)
    } catch (error) {
      this.#cannotPoll(StepbusError.from(error))
      return false
    }
    if (batches === undefined) {
      this.#check()
      this.#watch(true)
      return false
    }
    for (let i = 0; i < batches.length; i += 2) {
      const buffer = batches[i]
      const words = new Uint32Array(buffer.buffer, buffer.byteOffset, batches[i + 1] * stride)
      this.#backlog.push({ buffer, words, count: batches[i + 1], next: 0 })
    }
    return true
  }

  #cannotPoll(error) {
    this.#watch(false)
    if (error.code === 'STEPBUS_EBUSY' || error.code === 'STEPBUS_ENOMEM') {
      this.tell('debug', `no steps can be taken at the moment: ${error.message}`, error)
      this.#retryTimer = setTimeout(() => {
        this.#retryTimer = null
        this.#pump()
      }, BUSY_MS)
      return
    }
    if (error.code !== 'STEPBUS_ESHUTDOWN') this.tell('error', `the worker cannot go on: ${error.message}`, error)
    this.#fail(error)
  }

  #fail(error) {
    this.close({ timeout: 0 }).catch(() => {})
    this.#end?.reject(error)
    this.#end = null
    for (const taker of this.#takers.splice(0)) taker.reject(error)
  }

  #work() {
    const until = performance.now() + SLICE_MS
    while (this.#backlog.length > 0) {
      const batch = this.#backlog[0]
      while (batch.next < batch.count) {
        const now = performance.now()
        if (now > until) return
        if (this.#mode === 'run') this.#dispatch(batch, batch.next++ * stride, now)
        else this.#offer(new Step(this, batch, batch.next++ * stride, now))
      }
      this.#backlog.shift()
    }
  }

  #offer(step) {
    this.#running.add(step)
    this.#keepChecking()
    const taker = this.#takers.shift()
    if (taker === undefined) this.#ready.push(step)
    else taker.resolve({ done: false, value: step })
  }

  /** The handler of a step. Steps of one handler often come together, and then their names lie in one place. */
  #handlerOf(batch, base) {
    const { words } = batch
    const { last } = batch
    if (last !== undefined) {
      let isSame = true
      for (let i = at.handler_name; i < at.input; i++) isSame &&= words[base + i] === words[last.base + i]
      if (isSame) return last.handler
    }
    const text = (field) => batch.buffer.toString('utf8', words[base + field], words[base + field] + words[base + field + 1])
    const handler = this.#app.findHandler(text(at.handler_namespace), text(at.handler_name), text(at.handler_version))
    batch.last = { base, handler }
    return handler
  }

  #dispatch(batch, base, now) {
    const step = new Step(this, batch, base, now)
    const handler = this.#handlerOf(batch, base)
    let value
    try {
      if (handler === undefined) throw new Permanent(`no handler is registered here for ${step.name}`, { type: 'handler_not_found' })
      const input = this.#inputOf(step)
      value = handler(input, step)
      if (isThenable(value)) {
        // One that has answered already has left its place, and would never leave it again.
        if (inner.isOpen(step)) {
          this.#running.add(step)
          this.#keepChecking()
        }
        value.then((result) => this.#succeed(step, result), (error) => this.#failed(step, error))
        return
      }
    } catch (error) {
      this.#failed(step, error)
      return
    }
    this.#succeed(step, value)
  }

  #inputOf(step) {
    try {
      return step.input
    } catch (error) {
      throw new Permanent(`the input is no JSON: ${error.message}`, { type: 'input_invalid' })
    }
  }

  #succeed(step, value) {
    if (!inner.isOpen(step)) {
      this.#late(step, value !== undefined, 'its handler returned a value')
      return
    }
    try {
      inner.succeed(step, new HandlerAnswer(this, step), encode(value))
    } catch (error) {
      this.#failed(step, new Permanent(`the result cannot be kept: ${describeFailure(error).message}`, { type: 'result_invalid' }))
      return
    }
    this.answered(step)
  }

  #failed(step, error) {
    if (!inner.isOpen(step)) {
      this.#late(step, true, `its handler threw ${describeFailure(error).message}`)
      return
    }
    const answer = new HandlerAnswer(this, step)
    const delay = isA(error, Snooze) ? read(error, 'delay') : undefined
    if (Number.isSafeInteger(delay) && delay >= 0) {
      inner.snooze(step, answer, delay)
    } else if (this.isClosing && isShutdown(error)) {
      inner.release(step, answer)
    } else {
      inner.fail(step, answer, describeFailure(error))
    }
    this.answered(step)
  }

  /** A handler that answered its step itself returns nothing; all else is worth a word. */
  #late(step, isTold, what) {
    if (isTold) this.tell('warn', `${step}: ${what}, but ${inner.refusalOf(step).message}`)
  }

  /** An answer is on its way. */
  answered(step) {
    this.#unsettledCount++
    this.#leave(step)
  }

  #leave(step) {
    if (!this.#running.delete(step)) return
    if (this.#running.size === 0) {
      clearInterval(this.#checker)
      this.#checker = null
      for (const wake of this.#idle.splice(0)) wake()
    }
    if (this.#isFull && !this.isClosing) this.#pumpSoon()
  }

  /** An answer is durable, or refused. */
  settled(step, status, error, isHeard) {
    this.#unsettledCount--
    if (status === OK) {
      this.#app.finished(step)
    } else if (status === EINVAL && isHeard) {
      this.#running.add(step) // to be repaired by whoever answered it
      this.#keepChecking()
    } else if (status === EINVAL) {
      this.#replace(step, error)
    } else {
      this.tell('warn', `${step}: its result was refused: ${error.message}`, error)
    }
    if (this.#isFull && !this.isClosing) this.#pumpSoon()
  }

  /** What the library does not take as a result is a failure of the handler. */
  #replace(step, error) {
    this.#unsettledCount++
    inner.fail(step, { settle: (status, refusal) => {
      this.#unsettledCount--
      if (status !== OK) this.tell('error', `${step}: its failure was refused: ${refusal.message}`, refusal)
    } }, describeFailure(new Permanent(error.message, { type: /^result has \d+ bytes/.test(error.message) ? 'result_too_large' : 'result_invalid' })))
  }

  /** Somebody looks at the signal of a step. */
  observe() {
    this.#keepChecking()
  }

  #keepChecking() {
    if (this.#running.size > 0 && !this.#isReleasing) this.#checker ??= setInterval(() => this.#check(), CHECK_MS)
  }

  /** Asks of the steps that are out whether there is still use in them. */
  #check() {
    if (this.#running.size === 0 || this.#isReleasing || this.#handle === 0) return
    const steps = [...this.#running]
    const words = new Uint32Array(steps.length * ATTEMPT_WORDS)
    steps.forEach((step, i) => inner.attemptInto(step, words, i * ATTEMPT_WORDS))
    let lost
    try {
      lost = native.check(this.engine, words)
    } catch {
      return // it is being closed
    }
    for (const i of Object.keys(lost ?? {})) this.lose(steps[i], lost[i])
  }

  checkNow() {
    this.#check()
  }

  /** An attempt was ended by others; the library is told that we know, and gets its memory back. */
  lose(step, status) {
    if (!inner.isOpen(step)) return
    this.#unsettledCount++
    inner.lose(step, status, { settle: () => { this.#unsettledCount-- } })
    if (status !== SHUTDOWN) this.tell('info', `${step} is to stop: ${reasonOf(status)}`)
    this.#leave(step)
  }

  /** How well this worker keeps up. */
  metrics() {
    if (this.#handle === 0) throw new StepbusError('STEPBUS_EINACTIVE', 'the worker is not started')
    return native.metrics(this.#handle)
  }

  /**
   * Takes no more steps, waits at most `timeout` ms for those that run, and gives back the others, which
   * then run elsewhere. Their signals are aborted at once.
   */
  close({ timeout = DRAIN_MS } = {}) {
    integer(timeout, 'timeout', 0)
    this.#closing ??= this.#close(timeout)
    return this.#closing
  }

  /** Waits no longer for the steps that run. */
  hurry() {
    for (const wake of this.#idle.splice(0)) wake()
  }

  async #close(timeout) {
    await null // so that #closing is set
    if (this.#starting !== null) await this.#starting.catch(() => {})
    try {
      if (this.#handle !== 0) await this.#drain(timeout)
    } finally {
      this.#app.workers.delete(this)
      clearInterval(this.#checker)
      clearTimeout(this.#retryTimer)
      for (const taker of this.#takers.splice(0)) taker.resolve({ done: true, value: undefined })
      this.#end?.resolve()
      this.#end = null
    }
  }

  async #drain(timeout) {
    this.#watch(false)
    await native.stopWorker(this.#handle, 0).catch(() => {}) // it says that steps are out, which we know
    this.#releaseUnbegun()
    for (const step of this.#running) inner.abort(step, SHUTDOWN)
    if (this.#running.size > 0) await this.#idleFor(timeout)
    this.#isReleasing = true
    if (this.#running.size > 0) {
      this.tell('warn', `${this.#running.size} steps were not done in time; they are given back`)
      for (const step of [...this.#running]) this.lose(step, SHUTDOWN)
    }
    await this.#settleAll(timeout)
    await native.freeWorker(this.#handle)
    this.#handle = 0
  }

  /** What was polled and not begun, by a handler or a loop. */
  #releaseUnbegun() {
    for (const batch of this.#backlog.splice(0)) {
      for (; batch.next < batch.count; batch.next++) {
        const step = new Step(this, batch, batch.next * stride, performance.now())
        this.lose(step, SHUTDOWN)
      }
    }
    for (const step of this.#ready.splice(0)) this.lose(step, SHUTDOWN)
  }

  #idleFor(timeout) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(timeout, 0x7fffffff))
      this.#idle.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** What cannot be written in time is left to the lease. */
  async #settleAll(timeout) {
    let timer
    const late = new Promise((resolve) => { timer = setTimeout(resolve, Math.max(timeout, 1000)) })
    await Promise.race([this.outbox.drain(), late])
    clearTimeout(timer)
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close()
  }
}

const isShutdown = (error) =>
  isA(error, Error) && [error, read(error, 'cause')].some((each) => isA(each, StepbusError) && each.code === nameOf(SHUTDOWN))

module.exports = { Worker }
