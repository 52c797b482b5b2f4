// SPDX-License-Identifier: MIT
// Stepbus: an engine on a store, with the handlers that are registered with it and the workers that run
// them.
'use strict'

const native = require('./native.js')
const { StepbusError, invalid } = require('./errors.js')
const { Pack, layouts } = require('./record.js')
const { Enqueuer } = require('./enqueuer.js')
const { Outbox } = require('./outbox.js')
const { Results } = require('./results.js')
const { Worker } = require('./worker.js')
const { check, text, integer, isObject, writeHandler, toDocument, fromDocument } = require('./options.js')
const { parseId, describe } = require('./uuid.js')

const KEY = Symbol('key')
const LEVELS = { debug: 1, info: 2, warn: 3, error: 4 }
const DRAIN_MS = 30000
const DEFAULT_VERSION = '0.1.0'
const SIGNALS = ['SIGTERM', 'SIGINT']
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')
// What hosts say freely, in the documents of the library.
const FREE = ['input', 'result', 'metadata', 'step_config', 'config_schema', 'stepConfig']

/** Engines that were forgotten without being closed. */
const forgotten = new FinalizationRegistry((engine) => {
  try {
    native.close(engine).catch(() => {})
  } catch {
    // it was closed meanwhile
  }
})

function printRecord({ level, message }) {
  if (LEVELS[level] >= LEVELS.warn) process.stderr.write(`stepbus: ${level}: ${message}\n`)
}

/** Takes log records, of the library and of this binding, to the function that wants them. */
class Journal {
  constructor(log, level = 'info') {
    if (log !== undefined && log !== false && typeof log !== 'function') {
      throw invalid(`log must be a function or false, not ${describe(log)}`)
    }
    if (!Object.hasOwn(LEVELS, level)) throw invalid(`logLevel must be one of ${Object.keys(LEVELS).join(', ')}, not ${describe(level)}`)
    this.log = log === false ? undefined : log ?? printRecord
    this.level = log === undefined ? LEVELS.warn : LEVELS[level]
  }

  tell(level, message, details) {
    if (this.log === undefined || LEVELS[level] < this.level) return
    this.#write({ level, message, ...(details === undefined ? {} : { error: details }) })
  }

  /** A record of the library, in JSON. */
  take(record) {
    const { msg, message = msg, ...rest } = JSON.parse(record)
    this.#write({ ...rest, message })
  }

  /** A log that fails must not end the process. */
  #write(record) {
    try {
      this.log(record)
    } catch (error) {
      process.emitWarning(`the log function of stepbus threw: ${error?.message ?? error}`)
    }
  }
}

function configOf(target) {
  if (typeof target === 'string') target = { store: target }
  if (!isObject(target)) throw invalid(`Stepbus.open needs the path of a store, or an object with its configuration, not ${describe(target)}`)
  const { log, logLevel, testClock, ...config } = target
  const document = toDocument(config, ['queues'])
  if (isObject(config.queues)) {
    document.queues = Object.fromEntries(Object.entries(config.queues).map(([name, each]) => [name, toDocument(each)]))
  }
  if (typeof document.store === 'string' && !/^(sqlite|memory):/.test(document.store)) document.store = `sqlite:${document.store}`
  return { config: JSON.stringify(document), log, logLevel, testClock }
}

function clockStart(testClock) {
  if (testClock === undefined || testClock === false) return undefined
  if (testClock === true) return Date.now()
  const ms = testClock instanceof Date ? testClock.getTime() : testClock
  if (Number.isSafeInteger(ms) && ms > 0) return ms
  throw invalid(`testClock must be true, a Date or milliseconds since 1970, not ${describe(testClock)}`)
}

class Stepbus {
  #engine
  #journal
  #enqueuer
  #handlers = new Map()
  #closing = null
  #isStillOpen = false
  #inner
  #hasTestClock

  constructor(key, engine, journal, hasTestClock) {
    if (key !== KEY) throw new TypeError('use await Stepbus.open(…)')
    this.#engine = engine
    this.#journal = journal
    this.#hasTestClock = hasTestClock
    this.#enqueuer = new Enqueuer(engine)
    const results = new Results(engine)
    const handlers = this.#handlers
    this.#inner = {
      engine,
      results,
      outbox: new Outbox(engine),
      workers: new Set(),
      tell: (level, message, details) => journal.tell(level, message, details),
      use: (call) => this.#use(call),
      findHandler: (namespace, name, version) => {
        const versions = handlers.get(`${namespace}\n${name}`)
        return versions?.get(version) ?? (versions?.size === 1 ? versions.values().next().value : undefined)
      },
      checkHandlers: () => this.#checkHandlers(),
      finished: (step) => { if (results.isAwaited) results.nudge(step.id) },
    }
  }

  /** Opens a store, which is made where there is none: a path, or an object with the configuration. */
  static async open(target) {
    const { config, log, logLevel, testClock } = configOf(target)
    const journal = new Journal(log, logLevel)
    const take = journal.log === undefined ? undefined : (record) => journal.take(record)
    const startMs = clockStart(testClock)
    let engine
    try {
      engine = await native.open(config, take, journal.level, startMs)
    } catch (error) {
      throw StepbusError.from(error)
    }
    const app = new Stepbus(KEY, engine, journal, startMs !== undefined)
    forgotten.register(app, engine, app)
    return app
  }

  async #use(call) {
    if (this.#closing !== null) throw new StepbusError('STEPBUS_ESHUTDOWN', 'stepbus was closed')
    try {
      return await call(this.#engine)
    } catch (thrown) {
      const error = StepbusError.from(thrown)
      // Of what was made elsewhere the stack says nothing to whoever called us.
      if (error === thrown && error instanceof StepbusError) Error.captureStackTrace(error)
      throw error
    }
  }

  #ask(what, id, text1, text2) {
    return this.#use((engine) => native.ask(engine, what, id === undefined ? undefined : parseId(id), text1, text2))
  }

  async #read(what, id, text1) {
    return fromDocument(JSON.parse(await this.#ask(what, id, text1)), FREE)
  }

  /**
   * Registers a handler: step(name, handler), step(name, options, handler). Without a handler, the steps
   * are for a loop over a worker.
   */
  step(name, options, handler) {
    if (typeof options === 'function' && handler === undefined) [options, handler] = [{}, options]
    if (handler !== undefined && typeof handler !== 'function') throw invalid(`the handler of ${describe(name)} must be a function, not ${describe(handler)}`)
    text(name, 'the name of a handler')
    if (this.#closing !== null) throw new StepbusError('STEPBUS_ESHUTDOWN', 'stepbus was closed')
    const pack = new Pack(layouts.handler)
    const base = pack.begin()
    pack.text(base + layouts.handler.at.name, name)
    writeHandler(pack, base, options ?? {})
    try {
      native.register(this.#engine, pack.records, pack.texts8)
    } catch (error) {
      throw StepbusError.from(error)
    }
    const { namespace = 'default', version = DEFAULT_VERSION } = options ?? {}
    const key = `${namespace}\n${name}`
    if (!this.#handlers.has(key)) this.#handlers.set(key, new Map())
    this.#handlers.get(key).set(version, handler)
    return this
  }

  #checkHandlers() {
    for (const [key, versions] of this.#handlers) {
      for (const [version, handler] of versions) {
        if (handler === undefined) {
          throw invalid(`${key.split('\n')[1]} ${version} was registered without a handler: read its steps with "for await (const step of app.worker())"`)
        }
      }
    }
  }

  /** Enqueues a step; resolves to its id when it is durable. */
  async enqueue(name, input, options) {
    return (await this.#use(() => this.#enqueuer.add([[name, input, options]])))[0]
  }

  /** Enqueues steps, all or none: [{name, input, options}, …]. */
  async enqueueMany(steps) {
    if (!Array.isArray(steps)) throw invalid(`enqueueMany needs an array of {name, input, options}, not ${describe(steps)}`)
    if (steps.length === 0) return []
    const list = steps.map((step) => {
      check(step, 'the steps of enqueueMany', ['name', 'input', 'options'])
      return [step.name, step.input, step.options]
    })
    return this.#use(() => this.#enqueuer.add(list))
  }

  /** Waits until a step is final: its result, or a StepFailure. */
  async result(id, options = {}) {
    check(options, 'the options of result', ['timeout', 'signal'])
    if (options.timeout !== undefined) integer(options.timeout, 'timeout')
    return this.#use(() => this.#inner.results.wait(id, options))
  }

  async cancel(id) {
    await this.#ask('cancel', id)
    for (const worker of this.#inner.workers) worker.checkNow()
    this.#inner.results.nudge(id.toLowerCase())
  }

  async redrive(id) {
    await this.#ask('redrive', id)
  }

  /** Redrives what a filter of list() matches; resolves to how many it was. */
  redriveAll(filter = {}) {
    return this.#ask('redriveAll', undefined, JSON.stringify(toDocument(filter)))
  }

  info(id) { return this.#read('info', id) }
  attempts(id) { return this.#read('attempts', id) }
  list(filter = {}) { return this.#read('list', undefined, JSON.stringify(toDocument(filter))) }
  count(filter = {}) { return this.#ask('count', undefined, JSON.stringify(toDocument(filter))) }
  stats() { return this.#read('stats') }
  handlers() { return this.#read('handlers') }
  workers() { return this.#read('workers') }

  queues = {
    list: () => this.#read('queues'),
    set: async (name, settings) => {
      await this.#ask('setQueue', undefined, text(name, 'the name of a queue'), JSON.stringify(toDocument(settings)))
    },
    pause: async (name) => { await this.#ask('pauseQueue', undefined, text(name, 'the name of a queue')) },
    resume: async (name) => { await this.#ask('resumeQueue', undefined, text(name, 'the name of a queue')) },
  }

  cron = {
    list: () => this.#read('crons'),
    set: async (entry) => {
      if (!isObject(entry)) throw invalid(`cron.set needs an object, not ${describe(entry)}`)
      await this.#ask('setCron', undefined, JSON.stringify(toDocument(entry, ['input', 'stepConfig', 'step_config'])))
    },
    remove: async (name) => { await this.#ask('removeCron', undefined, text(name, 'the name of a cron entry')) },
  }

  /** Lets this and other engines on the store look for work now, after others have written to it. */
  async wake() {
    await this.#ask('wake')
  }

  /** A worker, for `await worker.run()` or `for await (const step of worker)`. */
  worker(options = {}) {
    if (this.#closing !== null) throw new StepbusError('STEPBUS_ESHUTDOWN', 'stepbus was closed')
    return new Worker(this.#inner, options)
  }

  /**
   * Runs the registered handlers until stepbus is closed. With `signals: true`, SIGTERM and SIGINT close
   * it when the steps that run are done, or after `drainMs`; a second signal at once.
   */
  async run({ signals = false, drainMs = DRAIN_MS, ...options } = {}) {
    const worker = this.worker(options)
    if (!signals) return worker.run()
    let count = 0
    const onSignal = () => {
      count++
      if (count === 1) this.close({ timeout: drainMs }).catch(() => {})
      else for (const each of this.#inner.workers) each.hurry()
    }
    for (const signal of SIGNALS) process.on(signal, onSignal)
    try {
      await worker.run()
      if (this.#closing !== null) await this.#closing
    } finally {
      for (const signal of SIGNALS) process.off(signal, onSignal)
    }
  }

  /** A clock that stands still until it is told to go on; only with testClock. */
  get clock() {
    if (!this.#hasTestClock) throw new StepbusError('STEPBUS_EINACTIVE', 'there is a clock to advance only with Stepbus.open({ testClock: true, … })')
    return {
      advance: async (ms) => {
        await this.#use((engine) => native.advance(engine, integer(ms, 'ms', 1)))
      },
      now: () => new Date(native.now(this.#engine)),
    }
  }

  get isClosed() {
    return this.#closing !== null
  }

  /**
   * Stops the workers, waiting at most `timeout` ms for the steps that run, writes what waits to be
   * written, and closes the store.
   */
  close({ timeout = DRAIN_MS } = {}) {
    integer(timeout, 'timeout')
    if (this.#isStillOpen) {
      this.#isStillOpen = false
      this.#closing = this.#closeEngine()
    }
    this.#closing ??= this.#close(timeout)
    return this.#closing
  }

  async #close(timeout) {
    await null // so that #closing is set
    forgotten.unregister(this)
    const { workers, outbox, results } = this.#inner
    await Promise.allSettled([...workers].map((worker) => worker.close({ timeout })))
    outbox.close()
    await Promise.allSettled([this.#enqueuer.drain(), outbox.drain()])
    await results.close()
    await this.#closeEngine()
  }

  /** Where that is refused, it is open still, and close() may be called again. */
  async #closeEngine() {
    try {
      await native.close(this.#engine)
    } catch (error) {
      this.#isStillOpen = true
      throw StepbusError.from(error)
    }
  }

  async [asyncDispose]() {
    await this.close()
  }
}

module.exports = { Stepbus }
