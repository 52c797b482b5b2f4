// SPDX-License-Identifier: MIT
// A worker in Node among those of the kill loop; see guest.h, and behave.c for what its handlers do.
//
//   guest.mjs check                                       whether it can run here
//   guest.mjs honest|liar PROCESS CONFIG LOG PAGE PLACE   until it is killed, or told to end by SIGTERM
//
// By its number it runs registered handlers, or is a loop over a worker. What it notes is what
// torture/history/history.h says; lines are written as observer.c does.
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Stepbus, Permanent, Retryable, Snooze } from '../../../bindings/node/lib/index.mjs'

const LANGUAGE = 2
const LINE_LEN = 128
// stepbus.h
const SUCCESS = 1, FAILURE = 2, SNOOZED = 3, CHECKPOINTED = 6, RELEASED = 7
const OK = 0, UNSETTLED = [2, 14, 18, 19], REFUSED = [15, 16, 25], BUSY = 14, STALE = 16
// history.h and behave.h
const RELEASE = 3, CHECKPOINT = 4, FAIL_TWICE = 5, FAIL_FOR_GOOD = 6, SNOOZE = 7, SLOW = 8, CRASH = 9
const CHECKPOINT_COUNT = 3
const BEAT_HEARTBEAT = 0, BEAT_CHECKPOINT = 1, BEAT_RELEASE = 2
// point_place of points.h
const ARMED_AT = 0, COUNTDOWN_AT = 4, SIGNAL_AT = 12, PHASE_AT = 20, CAUSE_AT = 24, BY_POINT = 1, BY_HANDLER = 2, SERVING = 1
const SIGKILL = 9

const [manner, number, config, log, page, placeAt] = process.argv.slice(2)
if (manner === 'check') process.exit(0)

const own = Number(number)
const isLiar = manner === 'liar'
const logFile = fs.openSync(log, 'a')
const pageFile = fs.openSync(page, 'r+')
const at = Number(placeAt)
const words = Buffer.alloc(16)

const nowUs = () => process.hrtime.bigint() / 1000n

function digest(data) {
  let value = 0xcbf29ce484222325n
  for (const byte of data) value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n)
  return value >> 1n | 1n
}

function note(kind, a = 0, b = 0, c = 0, d = 0) {
  const head = `${kind} ${nowUs()} ${own} ${a} ${b} ${c} `
  const line = `${head}${String(d).padStart(LINE_LEN - 1 - head.length, '0')}\n`
  if (fs.writeSync(logFile, line) !== LINE_LEN) process.abort()
}

function fail(what, error) {
  process.stderr.write(`process ${own}: ${what}: ${error?.stack ?? error}\n`)
  note('X', error?.status ?? 0)
}

function tellNemesis(field, value) {
  words.writeInt32LE(value)
  fs.writeSync(pageFile, words, 0, 4, at + field)
}

const blame = (cause) => tellNemesis(CAUSE_AT, cause)

function tellReady() {
  note('R', LANGUAGE)
  tellNemesis(PHASE_AT, SERVING)
}

/** A point at which this process may be told to die, or to stop. */
function point(name) {
  fs.readSync(pageFile, words, 0, 16, at)
  if (words.readUInt32LE(ARMED_AT) === 0) return
  const left = words.readInt32LE(COUNTDOWN_AT) - 1
  const signal = words.readInt32LE(SIGNAL_AT)
  tellNemesis(COUNTDOWN_AT, left)
  if (left > 0) return
  tellNemesis(ARMED_AT, 0)
  fs.appendFileSync(path.join(path.dirname(page), 'points'), `${signal} handler node ${name} 1\n`)
  if (signal === SIGKILL) blame(BY_POINT)
  process.kill(process.pid, signal)
}

/** One attempt, from its first line on: what is to come of it. */
class Attempt {
  isEnded = false

  constructor(step) {
    this.step = step
    this.id = parseInt(step.id.replaceAll('-', '').slice(0, 12), 16)
    this.token = step.token
    this.nonce = parseInt(step.inputBuffer.toString('latin1', 1), 10)
    this.items = step.itemsProcessed
    this.lie = isLiar ? Math.trunc(this.nonce / 10) % 4 : 0
  }

  note(kind, c, d) {
    note(kind, this.id, this.token, c, d)
  }

  digit(divisor, count) {
    return Math.trunc(this.nonce / divisor) % count
  }

  begin() {
    const { cursor } = this.step
    this.note('S', this.nonce + (this.lie === 3 ? 1 : 0), digest(this.step.inputBuffer))
    if (cursor !== undefined || this.items > 0) {
      this.note('J', this.items)
      if (cursor !== `n${this.nonce} c${this.items}`) fail('resume a step', new Error(`the cursor is ${cursor}`))
    }
    point('begun')
    this.beat()
    point('beaten')
    return this
  }

  beat() {
    const calledUs = nowUs()
    try {
      this.step.heartbeat()
      if (this.digit(10, 4) === 0) this.note('H', BEAT_HEARTBEAT, calledUs)
    } catch (error) {
      if (error.status === STALE) note('L')
      // BUSY: nobody knows yet whose the step is, so it goes on.
      else if (error.status !== BUSY && !REFUSED.includes(error.status)) throw error
    }
  }

  /** Ends the process in the ways of its language; true where that takes another turn of the loop. */
  crash() {
    point('working')
    if (this.nonce % 10 !== CRASH || this.digit(10, 10) !== 0) return false
    blame(BY_HANDLER)
    const way = (this.digit(100, 4) + this.token) % 4
    if (way === 0) process.kill(process.pid, 'SIGKILL')
    if (way === 1) process.exit(3)
    if (way === 2) process.abort()
    setImmediate(() => { throw new Error('nobody catches this') })
    return true
  }

  pauseMs() {
    return this.nonce % 10 === SLOW ? 5 + this.digit(10, 10) * 3 : 0
  }

  decide() {
    const kind = this.nonce % 10
    const isEven = this.token % 2 === 0
    if (kind === SNOOZE && isEven) return [SNOOZED, new Snooze(10)]
    if (kind === RELEASE && isEven) return [RELEASED]
    if (kind === CHECKPOINT && this.items < CHECKPOINT_COUNT) {
      this.items++
      return [CHECKPOINTED]
    }
    if (kind === FAIL_FOR_GOOD) return [FAILURE, new Permanent('as it was told to')]
    if (kind === FAIL_TWICE && this.step.retryCount < 2) {
      const message = 'as it was told to'
      return [FAILURE, [new Error(message), new Retryable(message), message][this.digit(10, 3)]]
    }
    return [SUCCESS, Buffer.from(`n${this.nonce + (this.lie === 2 ? 1 : 0)} t${this.token}`)]
  }

  /** Notes the outcome, before it is handed in. */
  end() {
    [this.outcome, this.value] = this.decide()
    point('decided')
    this.note('E', this.outcome, this.outcome === CHECKPOINTED ? this.items : 0)
    this.isEnded = true
    point('ended')
    if (this.lie !== 1 || this.outcome !== SUCCESS) return
    this.note('A', OK)
    this.outcome = FAILURE
    this.value = new Error('not done, whatever was noted')
  }

  /** Hands it in by itself, and hears what comes of it. */
  async answer() {
    const { step } = this
    const calledUs = nowUs()
    let status = OK
    try {
      if (this.outcome === RELEASED) await step.release()
      else if (this.outcome === SNOOZED) await step.snooze(10)
      else if (this.outcome === FAILURE) await step.fail(this.value)
      else if (this.outcome === CHECKPOINTED) await step.checkpoint({ cursor: `n${this.nonce} c${this.items}`, itemsProcessed: this.items })
      else await step.complete(this.value)
    } catch (error) {
      status = error.status
      if (!REFUSED.includes(status) && !UNSETTLED.includes(status)) fail('answer a step', error)
    }
    this.note('A', status)
    if (status === STALE) note('L')
    point('answered')
    if (status === OK && this.outcome === RELEASED) this.note('H', BEAT_RELEASE, calledUs)
    if (status === OK && this.outcome === CHECKPOINTED) this.note('H', BEAT_CHECKPOINT, calledUs)
  }

  /** Returns or throws it, as handlers do. */
  give() {
    if (this.outcome === FAILURE || this.outcome === SNOOZED) throw this.value
    return this.value
  }

  get isAnsweredAlone() {
    return this.outcome === RELEASED || this.outcome === CHECKPOINTED || (this.outcome === SUCCESS && this.digit(10, 3) === 0)
  }
}

const never = () => new Promise(() => {})

/** A handler that returns or throws at once where it can, and else a promise of it. */
function work(_, step) {
  const attempt = new Attempt(step).begin()
  if (attempt.pauseMs() > 0) return later(attempt)
  if (attempt.crash()) return never()
  attempt.end()
  return attempt.isAnsweredAlone ? attempt.answer() : attempt.give()
}

async function later(attempt) {
  await sleep(attempt.pauseMs())
  if (attempt.crash()) await never()
  attempt.end()
  return attempt.isAnsweredAlone ? attempt.answer() : attempt.give()
}

const workAsync = async (_, step) => later(new Attempt(step).begin())

async function serve(step) {
  const attempt = new Attempt(step).begin()
  await sleep(attempt.pauseMs())
  if (attempt.crash()) await never()
  attempt.end()
  await attempt.answer()
}

function hear({ level, message, error }) {
  if (error?.status === STALE || /its lease was lost/.test(message)) note('L')
  if (level === 'error' || /cannot go on/.test(message)) fail('the binding', new Error(message))
}

async function runHandlers(app, settings) {
  app.step('work', work)
  app.step('pulled', workAsync)
  tellReady()
  await app.run({ ...settings, queues: ['default', 'pulled'], signals: true })
}

async function runLoop(app, settings) {
  app.step('pulled')
  const worker = app.worker({ ...settings, queues: ['pulled'], prefetch: 1 + own % 8 })
  process.on('SIGTERM', () => app.close())
  tellReady()
  for await (const step of worker) serve(step).catch((error) => fail('serve', error))
  await app.close()
}

const settings = {
  id: `node-${own}`,
  strategy: ['priority', 'fifo', 'lifo', 'weighted_random'][own % 4],
  blockSize: [4, 64, 256][own % 3],
  concurrency: 1 + own % 5,
}
try {
  const app = await Stepbus.open({ ...JSON.parse(config), log: hear, logLevel: 'info' })
  await (own % 3 === 2 ? runLoop : runHandlers)(app, settings)
} catch (error) {
  fail('play', error)
  process.exitCode = 1
}
