// SPDX-License-Identifier: MIT
// One attempt of one step, as a handler or a loop over a worker sees it. It is decoded from its batch as
// far as it is looked at, and answered once.
'use strict'

const native = require('./native.js')
const { StepbusError, Snooze, invalid, nameOf } = require('./errors.js')
const { layouts, readInt64 } = require('./record.js')
const { encode, decode, guess } = require('./content.js')
const { describeFailure, isA } = require('./failure.js')
const { check, integer, isObject } = require('./options.js')
const { formatId, describe } = require('./uuid.js')

const { at } = layouts.event
const ATTEMPT_WORDS = 6
const MS_TO_US = 1000
const OPEN = 0
const ANSWERED = 1
const LOST = 2
const OK = 0
const EINVAL = 1
const BUSY = 14
const ALREADY = 15
const NONE = Symbol('none')

/** What the rest of this package may do with a step. */
const inner = {}

class Step {
  #worker
  #batch
  #base
  #startedAt
  #state = OPEN
  #lostStatus = OK
  #input = NONE
  #controller = null

  constructor(worker, batch, base, startedAt) {
    if (worker?.isInner !== true) throw new TypeError('steps come from a worker')
    this.#worker = worker
    this.#batch = batch
    this.#base = base
    this.#startedAt = startedAt
  }

  #text(field) {
    const { words, buffer } = this.#batch
    const from = words[this.#base + field]
    const length = words[this.#base + field + 1]
    return length === 0 ? '' : buffer.toString('utf8', from, from + length)
  }

  #bytes(field) {
    const { words, buffer } = this.#batch
    const from = words[this.#base + field]
    return buffer.subarray(from, from + words[this.#base + field + 1])
  }

  #guess(field) {
    const { words, buffer } = this.#batch
    return guess(buffer, words[this.#base + field], words[this.#base + field + 1])
  }

  get id() { return formatId(this.#batch.buffer, this.#base * 4) }
  get token() { return readInt64(this.#batch.words, this.#base + at.token) }
  get name() { return this.#text(at.handler_name) }
  get namespace() { return this.#text(at.handler_namespace) }
  get version() { return this.#text(at.handler_version) }
  get stepName() { return this.#text(at.step_name) }
  get queue() { return this.#text(at.queue) }
  get correlationId() { return this.#text(at.correlation_id) }
  get traceparent() { return this.#text(at.traceparent) }
  get contentType() { return this.#text(at.content_type) }
  get inputBuffer() { return this.#bytes(at.input) }
  get cursor() { return this.#guess(at.cursor) }
  get cursorBuffer() { return this.#bytes(at.cursor) }
  get partialResult() { return this.#guess(at.partial_result) }
  get partialResultBuffer() { return this.#bytes(at.partial_result) }
  get itemsProcessed() { return readInt64(this.#batch.words, this.#base + at.items_processed) }
  get timeout() { return readInt64(this.#batch.words, this.#base + at.attempt_timeout_ms) }
  get retryCount() { return this.#batch.words[this.#base + at.retry_count] }
  get maxRetries() { return this.#batch.words[this.#base + at.max_retries] }
  get attempt() { return this.retryCount + 1 }
  get isAnswered() { return this.#state !== OPEN }

  get config() {
    const text = this.#text(at.step_config)
    return text === '' ? undefined : JSON.parse(text)
  }

  /** The input as it was enqueued. Throws where it says that it is JSON, and is none. */
  get input() {
    if (this.#input === NONE) {
      const { words, buffer } = this.#batch
      this.#input = decode(buffer, words[this.#base + at.input], words[this.#base + at.input + 1], this.contentType)
    }
    return this.#input
  }

  /** Aborted when the result would be refused, or the worker is being stopped. */
  get signal() {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#state === LOST) this.#abort(this.#lostStatus)
      else if (this.#worker.isClosing) this.#abort(12)
      this.#worker.observe(this)
    }
    return this.#controller.signal
  }

  #abort(status) {
    if (this.#controller === null || this.#controller.signal.aborted) return
    this.#controller.abort(new StepbusError(nameOf(status), reasonOf(status)))
  }

  /** The step succeeded. Resolves when that is durable. */
  complete(value, options = {}) {
    return this.#answer((answer, us) => {
      check(options, 'the options of complete', ['metadata', 'contentType'])
      const bytes = encode(value)
      const metadata = options.metadata === undefined ? undefined : metadataOf(options.metadata)
      this.#worker.outbox.success(this.#batch.words, this.#base, answer, us, bytes, metadata, options.contentType)
    })
  }

  /** The attempt failed; see Retryable, Permanent and Snooze. */
  fail(error, options = {}) {
    if (isA(error, Snooze)) return this.snooze(error.delay)
    return this.#answer((answer, us) => {
      check(options, 'the options of fail', ['retryable', 'retryAfter', 'type', 'code', 'metadata'])
      this.#worker.outbox.failure(this.#batch.words, this.#base, answer, us, describeFailure(error, options))
    })
  }

  /** Again after `delay` ms, without charging an attempt. */
  snooze(delay) {
    return this.#answer((answer) => {
      this.#worker.outbox.snooze(this.#batch.words, this.#base, answer, integer(delay, 'delay'))
    })
  }

  /** Gives the step back, as if it had not been handed out. */
  release() {
    return this.#answer((answer) => this.#worker.outbox.release(this.#batch.words, this.#base, answer))
  }

  /** Keeps what is done so far, and ends this attempt; the next one goes on from there. */
  checkpoint(progress = {}) {
    return this.#answer((answer) => {
      check(progress, 'a checkpoint', ['cursor', 'partialResult', 'itemsProcessed'])
      const { cursor, partialResult, itemsProcessed = 0 } = progress
      this.#worker.outbox.checkpoint(this.#batch.words, this.#base, answer, encode(cursor), encode(partialResult),
        integer(itemsProcessed, 'itemsProcessed'))
    })
  }

  /** Says that the step is still worked on. Throws where there is no use in that any more. */
  heartbeat() {
    if (this.#state === OPEN) {
      const status = native.heartbeat(this.#worker.engine, this.#attemptWords())
      if (status === OK || status === 12) return
      // Its lease is over, and may be renewed: whoever goes on may not be alone, whoever answers may be taken.
      if (status === BUSY) throw new StepbusError(nameOf(status), `step ${this.id}: its lease is over, and it is not known whether it was lost`)
      this.#worker.lose(this, status)
    }
    throw this.#refusal()
  }

  #attemptWords() {
    return this.#batch.words.subarray(this.#base, this.#base + ATTEMPT_WORDS)
  }

  #refusal() {
    if (this.#state === LOST) return new StepbusError(nameOf(this.#lostStatus), `step ${this.id}: ${reasonOf(this.#lostStatus)}`)
    return new StepbusError('STEPBUS_EALREADY', `step ${this.id} was answered before`)
  }

  /** Answers the step by `write`, once. Whoever does not look at the promise is told by the log. */
  #answer(write) {
    if (this.#state !== OPEN) {
      const refusal = this.#refusal()
      this.#worker.tell('warn', `an answer came too late: ${refusal.message}`)
      return handled(Promise.reject(refusal))
    }
    let answer
    const promise = new Promise((resolve, reject) => {
      answer = {
        settle: (status, error) => {
          if (status === EINVAL) this.#state = OPEN
          this.#worker.settled(this, status, error, true)
          if (status === OK) resolve()
          else reject(error)
        },
      }
    })
    try {
      write(answer, this.#us())
    } catch (error) {
      return handled(Promise.reject(error instanceof StepbusError ? error : invalid(error.message)))
    }
    this.#state = ANSWERED
    this.#worker.answered(this)
    return handled(promise)
  }

  #us() {
    return Math.max(1, Math.round((performance.now() - this.#startedAt) * MS_TO_US))
  }

  toString() {
    return `step ${this.id} (${this.name})`
  }

  static {
    inner.isOpen = (step) => step.#state === OPEN
    inner.refusalOf = (step) => step.#refusal()
    inner.attemptInto = (step, words, to) => words.set(step.#attemptWords(), to)
    inner.abort = (step, status) => step.#abort(status)

    /** Answers on behalf of a handler; settle is called with the step. */
    inner.succeed = (step, answer, bytes) => {
      step.#worker.outbox.success(step.#batch.words, step.#base, answer, step.#us(), bytes)
      step.#state = ANSWERED
    }
    inner.fail = (step, answer, failure) => {
      step.#worker.outbox.failure(step.#batch.words, step.#base, answer, step.#us(), failure)
      step.#state = ANSWERED
    }
    inner.snooze = (step, answer, delay) => {
      step.#worker.outbox.snooze(step.#batch.words, step.#base, answer, delay)
      step.#state = ANSWERED
    }
    inner.release = (step, answer) => {
      step.#worker.outbox.release(step.#batch.words, step.#base, answer)
      step.#state = ANSWERED
    }

    /** The library has ended the attempt, or the worker ends: what the host answers comes too late. */
    inner.lose = (step, status, answer) => {
      step.#state = LOST
      step.#lostStatus = status
      step.#worker.outbox.release(step.#batch.words, step.#base, answer)
      step.#abort(status)
    }
  }
}

const REASONS = {
  12: 'the worker is being stopped',
  13: 'its time is over',
  15: 'it was answered before',
  16: 'a newer attempt exists, or its lease was lost',
  25: 'it was cancelled',
}

const reasonOf = (status) => REASONS[status] ?? `it was ended (${nameOf(status)})`

/** A rejection that nobody looks at is told by the log, and must not end the process. */
function handled(promise) {
  promise.catch(() => {})
  return promise
}

function metadataOf(metadata) {
  if (isObject(metadata)) return JSON.stringify(metadata)
  throw invalid(`metadata must be an object, not ${describe(metadata)}`)
}

module.exports = { Step, inner, reasonOf, ALREADY }
