// SPDX-License-Identifier: MIT
// Waiting for results: all waits of an engine share one look at a time, which waits for nothing in the
// library. A step that this process completes is looked for at once, any other one at growing intervals.
'use strict'

const native = require('./native.js')
const { StepbusError, StepFailure } = require('./errors.js')
const { layouts } = require('./record.js')
const { decode } = require('./content.js')
const { parseId } = require('./uuid.js')

const FIRST_MS = 2
const LAST_MS = 100
const LOOK_COUNT_MAX = 1000
const SUCCESS = 1
const OUTCOMES = {
  2: ['failure', 'STEPBUS_EHANDLER', 'the step failed'],
  4: ['cancelled', 'STEPBUS_ECANCELLED', 'the step was cancelled'],
  5: ['quarantined', 'STEPBUS_EHANDLER', 'the step ended too many processes and is quarantined'],
}

const { at, stride } = layouts.completion

/** The fields of a completion that was found. */
function read(buffer) {
  const words = new Uint32Array(buffer.buffer, buffer.byteOffset, stride)
  const text = (field) => buffer.toString('utf8', words[at[field]], words[at[field]] + words[at[field] + 1])
  return { words, text, buffer }
}

function failureOf({ words, text }, id) {
  const [outcome, code, what] = OUTCOMES[words[at.outcome]] ?? OUTCOMES[2]
  const message = text('error_message')
  const metadata = text('metadata')
  return new StepFailure(code, message === '' ? what : `${what}: ${message}`, {
    id,
    outcome,
    type: text('error_type') || undefined,
    reason: message || undefined,
    errorCode: text('error_code') || undefined,
    isRetryable: words[at.is_retryable] === 1,
    metadata: metadata === '' ? undefined : JSON.parse(metadata),
  })
}

/** The value of a success; throws what else it was. */
function valueOf(completion, id) {
  if (completion.words[at.outcome] !== SUCCESS) throw failureOf(completion, id)
  const { words, buffer } = completion
  return decode(buffer, words[at.result], words[at.result + 1], completion.text('content_type'))
}

class Results {
  #engine
  #waits = new Map()
  #timer = null
  #timerAt = 0
  #looking = null
  #isClosed = false

  constructor(engine) {
    this.#engine = engine
  }

  get isAwaited() {
    return this.#waits.size > 0
  }

  /** Resolves to a result; rejects after `timeout` ms, or when `signal` says so. */
  wait(id, { timeout, signal } = {}) {
    const bytes = parseId(id)
    const key = id.toLowerCase()
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const wait = this.#waits.get(key) ?? { id: key, bytes, callers: new Set(), delay: FIRST_MS, lookAt: 0 }
      const caller = { resolve, reject, timer: null, hasLooked: false, isOver: false }
      this.#waits.set(key, wait)
      wait.callers.add(caller)
      wait.lookAt = 0
      caller.stop = () => {
        clearTimeout(caller.timer)
        signal?.removeEventListener('abort', caller.onAbort)
        wait.callers.delete(caller)
        if (wait.callers.size === 0) this.#waits.delete(key)
      }
      caller.onAbort = () => {
        caller.stop()
        reject(signal.reason)
      }
      caller.onTimeout = () => {
        caller.isOver = true
        if (caller.hasLooked) giveUp(caller, key, timeout)
      }
      signal?.addEventListener('abort', caller.onAbort)
      if (timeout !== undefined) caller.timer = setTimeout(caller.onTimeout, Math.min(timeout, 0x7fffffff))
      caller.timeout = timeout
      this.#schedule()
    })
  }

  /** A step may be final now. */
  nudge(id) {
    const wait = this.#waits.get(id)
    if (wait === undefined) return
    wait.lookAt = 0
    wait.delay = FIRST_MS
    this.#schedule()
  }

  /** Looks once more for all, and sends those away who waited in vain. */
  async close() {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#looking
    const waits = [...this.#waits.values()]
    for (let i = 0; i < waits.length; i += LOOK_COUNT_MAX) await this.#lookFor(waits.slice(i, i + LOOK_COUNT_MAX))
    for (const wait of [...this.#waits.values()]) {
      this.#end([...wait.callers], () => { throw new StepbusError('STEPBUS_ESHUTDOWN', 'stepbus was closed while a result was awaited') })
    }
  }

  #schedule() {
    if (this.#looking !== null || this.#isClosed || this.#waits.size === 0) return
    let at = Infinity
    for (const wait of this.#waits.values()) at = Math.min(at, wait.lookAt)
    if (this.#timer !== null && this.#timerAt <= at) return
    clearTimeout(this.#timer)
    this.#timerAt = at
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#look()
    }, Math.max(0, at - Date.now()))
  }

  async #look() {
    const now = Date.now()
    const due = []
    for (const wait of this.#waits.values()) {
      if (wait.lookAt <= now && due.length < LOOK_COUNT_MAX) due.push(wait)
    }
    if (due.length === 0) {
      this.#schedule()
      return
    }
    for (const wait of due) {
      wait.lookAt = now + wait.delay
      wait.delay = Math.min(wait.delay * 2, LAST_MS)
    }
    this.#looking = this.#lookFor(due)
    await this.#looking
    this.#looking = null
    this.#schedule()
  }

  async #lookFor(due) {
    // Who comes meanwhile waits for the next look: what this one did not find may be there by then.
    const asked = due.map((wait) => [...wait.callers])
    const present = (i) => asked[i].filter((caller) => due[i].callers.has(caller))
    try {
      const found = await native.look(this.#engine, Buffer.concat(due.map((wait) => wait.bytes)))
      due.forEach((wait, i) => this.#take(wait, present(i), found[i]))
    } catch (error) {
      due.forEach((wait, i) => this.#end(present(i), () => { throw StepbusError.from(error) }))
    }
  }

  #take(wait, asked, found) {
    if (found instanceof Error) {
      this.#end(asked, () => { throw explain(found, wait.id) })
    } else if (found !== undefined) {
      const completion = read(found)
      this.#end([...wait.callers], () => valueOf(completion, wait.id))
    } else {
      for (const caller of asked) {
        caller.hasLooked = true
        if (caller.isOver || caller.timeout === 0) giveUp(caller, wait.id, caller.timeout)
      }
    }
  }

  #end(callers, value) {
    for (const caller of callers) {
      caller.stop()
      try {
        caller.resolve(value())
      } catch (error) {
        caller.reject(error)
      }
    }
  }
}

function explain(error, id) {
  if (error.code === 'STEPBUS_ENOTFOUND') return new StepbusError(error.code, `there is no step ${id} in this store`)
  return StepbusError.from(error)
}

function giveUp(caller, id, timeout) {
  caller.stop()
  caller.reject(new StepbusError('STEPBUS_ETIMEDOUT', `step ${id} was not final after ${timeout} ms`))
}

module.exports = { Results }
