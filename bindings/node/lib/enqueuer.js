// SPDX-License-Identifier: MIT
// Enqueueing: what is enqueued in one turn of the event loop, or while a transaction is on its way,
// shares the next one.
'use strict'

const native = require('./native.js')
const { invalid } = require('./errors.js')
const { Pack, layouts } = require('./record.js')
const { encode, BINARY } = require('./content.js')
const { text, writeStep } = require('./options.js')

const COUNT_MAX = 100000
const COUNT_WANTED = 4096
const BYTES_WANTED = 16 << 20
const ID_LEN = 36
const NO_OPTIONS = {}

const { at } = layouts.step

function writeInput(pack, base, input) {
  let bytes
  try {
    bytes = encode(input)
  } catch (error) {
    throw invalid(`the input cannot be kept: ${error.message}`)
  }
  if (bytes === undefined) return
  if (typeof bytes === 'string') {
    pack.text(base + at.input, bytes)
    return
  }
  pack.raw(base + at.input, bytes)
  pack.text(base + at.content_type, BINARY)
}

class Enqueuer {
  #engine
  #open = null
  #waiting = []
  #isSending = false
  #isScheduled = false
  #idle = []

  constructor(engine) {
    this.#engine = engine
  }

  #pack() {
    const full = this.#open !== null && (this.#open.pack.count >= COUNT_WANTED || this.#open.pack.used >= BYTES_WANTED)
    if (this.#open === null || full) {
      this.#open = { pack: new Pack(layouts.step), groups: [], answers: [] }
      this.#waiting.push(this.#open)
    }
    return this.#open
  }

  /** Takes steps that belong together: an array of [name, input, options]. Resolves to their ids. */
  add(steps) {
    if (steps.length > COUNT_MAX) {
      throw invalid(`${steps.length} steps are too many for one transaction: ${COUNT_MAX} are allowed`)
    }
    const batch = this.#pack()
    const { pack } = batch
    const { count, used } = pack
    try {
      for (const [name, input, options] of steps) this.#write(pack, name, input, options)
    } catch (error) {
      pack.count = count
      pack.used = used
      throw error
    }
    batch.groups.push(steps.length)
    return new Promise((resolve, reject) => {
      batch.answers.push({ resolve, reject })
      if (!this.#isScheduled && !this.#isSending) {
        this.#isScheduled = true
        queueMicrotask(() => {
          this.#isScheduled = false
          this.#send()
        })
      }
    })
  }

  #write(pack, name, input, options = NO_OPTIONS) {
    const base = pack.begin()
    pack.text(base + at.handler_name, text(name, 'the name of a step'))
    writeInput(pack, base, input)
    writeStep(pack, base, options)
  }

  async #send() {
    if (this.#isSending) return
    this.#isSending = true
    try {
      while (this.#waiting.length > 0) {
        const batch = this.#waiting.shift()
        if (batch === this.#open) this.#open = null
        await this.#sendBatch(batch)
      }
    } finally {
      this.#isSending = false
      for (const wake of this.#idle.splice(0)) wake()
    }
  }

  async #sendBatch({ pack, groups, answers }) {
    if (groups.length === 0) return // all of it was refused here
    let sent
    try {
      sent = await native.enqueue(this.#engine, pack.records, pack.texts8, Uint32Array.from(groups))
    } catch (error) {
      for (const { reject } of answers) reject(error)
      return
    }
    let number = 0
    for (let i = 0; i < answers.length; i++) {
      const ids = []
      for (let j = 0; j < groups[i]; j++, number++) {
        ids.push(sent.ids.latin1Slice(number * ID_LEN, (number + 1) * ID_LEN))
      }
      const failure = sent.failures[i]
      if (failure === undefined) answers[i].resolve(ids)
      else answers[i].reject(failure)
    }
  }

  /** Resolves when nothing is on its way. */
  async drain() {
    while (this.#isSending || this.#waiting.some(({ groups }) => groups.length > 0)) await new Promise((resolve) => this.#idle.push(resolve))
  }
}

module.exports = { Enqueuer }
