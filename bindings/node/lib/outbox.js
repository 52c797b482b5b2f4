// SPDX-License-Identifier: MIT
// The answers to steps, on their way to the library: gathered while others are being written, sent in
// one call, each kept until it is durable or refused.
'use strict'

const native = require('./native.js')
const { StepbusError, nameOf } = require('./errors.js')
const { Pack, layouts } = require('./record.js')
const { BINARY } = require('./content.js')

const OUTCOME = { success: 1, failure: 2, snooze: 3, checkpoint: 6, release: 7 }
const OK = 0
const SHUTDOWN = 12
// The step is still ours, and the same call may succeed later: ENOMEM, EFULL, EBUSY, ESYSTEM, ESTORE,
// ENOSPACE, EREADONLY, ECORRUPT.
const TRANSIENT = new Set([2, 6, 14, 18, 19, 20, 21, 22])
const COUNT_WANTED = 2048
const BYTES_WANTED = 16 << 20
// What one huge result needed is not kept for the next ones.
const BYTES_KEPT = 2 * BYTES_WANTED
const RETRY_FIRST_MS = 20
const RETRY_LAST_MS = 2000

const { at } = layouts.completion
const ATTEMPT_WORDS = 6

/** Answers that go together. */
class Parcel {
  pack = new Pack(layouts.completion)
  answers = []

  /** A record without an answer is one that could not be written to its end. */
  dropUnfinished() {
    this.pack.count = this.answers.length
  }

  get isFull() {
    return this.pack.count >= COUNT_WANTED || this.pack.used >= BYTES_WANTED
  }

  clear() {
    this.pack.clear()
    this.answers.length = 0
  }
}

class Outbox {
  #engine
  #open = new Parcel()
  #full = []
  #spare = null
  #isSending = false
  #isScheduled = false
  #retryMs = RETRY_FIRST_MS
  #retryTimer = null
  #idle = []
  #isClosed = false

  constructor(engine) {
    this.#engine = engine
  }

  /**
   * Begins the answer to the attempt at `base` of a batch. The caller fills the record and adds it; where
   * that throws, the answer was not given.
   */
  #begin(words, base, outcome) {
    if (this.#open.isFull) {
      this.#full.push(this.#open)
      this.#open = this.#takeSpare()
    }
    this.#open.dropUnfinished()
    const { pack } = this.#open
    const to = pack.begin()
    for (let i = 0; i < ATTEMPT_WORDS; i++) pack.words[to + i] = words[base + i]
    pack.words[to + at.outcome] = outcome
    return to
  }

  /** Sends what was begun and filled. `answer.settle(status, error)` is called once, when it is durable or refused. */
  #add(answer) {
    this.#open.answers.push(answer)
    if (!this.#isScheduled && !this.#isSending && this.#retryTimer === null) {
      this.#isScheduled = true
      queueMicrotask(() => {
        this.#isScheduled = false
        this.#send()
      })
    }
  }

  #takeSpare() {
    const parcel = this.#spare ?? new Parcel()
    this.#spare = null
    return parcel
  }

  /** `bytes`: a string (JSON), a Uint8Array or undefined. */
  success(words, base, answer, us, bytes, metadata, contentType) {
    const to = this.#begin(words, base, OUTCOME.success)
    const { pack } = this.#open
    pack.int64(to + at.execution_time_us, us)
    if (typeof bytes === 'string') pack.text(to + at.result, bytes)
    else if (bytes !== undefined) {
      pack.raw(to + at.result, bytes)
      pack.text(to + at.content_type, contentType ?? BINARY)
    }
    if (contentType !== undefined && typeof bytes === 'string') pack.text(to + at.content_type, contentType)
    if (metadata !== undefined) pack.text(to + at.metadata, metadata)
    this.#add(answer)
  }

  failure(words, base, answer, us, failure) {
    const to = this.#begin(words, base, OUTCOME.failure)
    const { pack } = this.#open
    pack.int64(to + at.execution_time_us, us)
    pack.words[to + at.is_retryable] = failure.isRetryable ? 1 : 0
    pack.int64(to + at.retry_after_ms, failure.retryAfter)
    pack.text(to + at.error_type, failure.type)
    pack.text(to + at.error_message, failure.message)
    if (failure.code !== undefined) pack.text(to + at.error_code, failure.code)
    if (failure.backtrace !== undefined) pack.text(to + at.backtrace, failure.backtrace)
    if (failure.metadata !== undefined) pack.text(to + at.metadata, failure.metadata)
    this.#add(answer)
  }

  snooze(words, base, answer, delay) {
    const to = this.#begin(words, base, OUTCOME.snooze)
    this.#open.pack.int64(to + at.retry_after_ms, delay)
    this.#add(answer)
  }

  /** `cursor`, `partial`: as the result of a success. */
  checkpoint(words, base, answer, cursor, partial, items) {
    const to = this.#begin(words, base, OUTCOME.checkpoint)
    const { pack } = this.#open
    pack.int64(to + at.items_processed, items)
    for (const [field, bytes] of [['cursor', cursor], ['result', partial]]) {
      if (typeof bytes === 'string') pack.text(to + at[field], bytes)
      else if (bytes !== undefined) pack.raw(to + at[field], bytes)
    }
    this.#add(answer)
  }

  release(words, base, answer) {
    this.#begin(words, base, OUTCOME.release)
    this.#add(answer)
  }

  get #hasMore() {
    return this.#full.length > 0 || this.#open.answers.length > 0
  }

  async #send() {
    if (this.#isSending || this.#retryTimer !== null) return
    this.#isSending = true
    while (this.#hasMore && this.#retryTimer === null) {
      let parcel = this.#full.shift()
      if (parcel === undefined) {
        parcel = this.#open
        this.#open = this.#takeSpare()
      }
      parcel.dropUnfinished()
      await this.#sendParcel(parcel)
      parcel.clear()
      if (parcel.pack.bytes.length <= BYTES_KEPT) this.#spare = parcel
    }
    this.#isSending = false
    if (this.#retryTimer === null) for (const wake of this.#idle.splice(0)) wake()
  }

  async #sendParcel({ pack, answers }) {
    let refused
    try {
      refused = await native.complete(this.#engine, pack.records, pack.texts8)
    } catch (thrown) {
      const error = StepbusError.from(thrown)
      refused = { each: { at: () => error.status ?? SHUTDOWN }, error }
    }
    if (refused === undefined) {
      this.#retryMs = RETRY_FIRST_MS
      for (let i = 0; i < answers.length; i++) answers[i].settle(OK)
      return
    }
    this.#takeRefused(pack, answers, refused)
  }

  #takeRefused(pack, answers, { each, error }) {
    const again = new Parcel()
    let isFirst = true
    for (let i = 0; i < answers.length; i++) {
      const status = each.at(i)
      if (TRANSIENT.has(status) && !this.#isClosed) {
        again.pack.take(pack, i)
        again.answers.push(answers[i])
      } else if (status === OK) {
        answers[i].settle(OK)
      } else {
        const own = isFirst && nameOf(status) === error.code
        answers[i].settle(status, new StepbusError(nameOf(status), own ? error.message : `the answer was refused: ${nameOf(status)}`))
      }
      if (status !== OK) isFirst = false
    }
    if (again.answers.length > 0) this.#retryLater(again)
  }

  #retryLater(parcel) {
    this.#full.unshift(parcel)
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null
      this.#send()
    }, this.#retryMs)
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS)
  }

  /** Resolves when nothing is on its way. */
  async drain() {
    while (this.#isSending || this.#hasMore || this.#retryTimer !== null) {
      await new Promise((resolve) => this.#idle.push(resolve))
    }
  }

  /** From now on nothing is tried twice. */
  close() {
    this.#isClosed = true
    if (this.#retryTimer === null) return
    clearTimeout(this.#retryTimer)
    this.#retryTimer = null
    this.#send()
  }
}

module.exports = { Outbox }
