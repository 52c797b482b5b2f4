// SPDX-License-Identifier: MIT
// Runs one scenario of node.cjs over and over, each time with another allocation, or another call of
// Node-API, that fails. What it finds it prints as lines of JSON for starve.py: {"at": N} before each
// point (so that a crash has a place), {"finding": …}, and {"end": …}.
'use strict'

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const root = path.join(__dirname, '../../..')
const control = require(path.resolve(process.env.STARVE_BUILD, 'control.node'))
const native = require(path.join(root, 'bindings/node/lib/native.js'))

const KINDS = { memory: 0, calls: 1 }
const LIBRARIES = 'stepbus.node,libstepbus,libsqlite3,libevent,libcjson'
// Memory that lacks for good is given back after so long: what waits for it must then go on.
const HUNGRY_MS = 250
const LIMIT_MS = 10000
const WARM_ROUNDS = 3
// What a call may answer where memory, or a call of Node-API, fails.
const DOCUMENTED = { memory: ['STEPBUS_ENOMEM', 'STEPBUS_ESYSTEM', 'STEPBUS_ESTORE'] }
DOCUMENTED.calls = ['STEPBUS_ENOMEM', 'STEPBUS_ESYSTEM']

const called = new Set()
const say = (line) => fs.writeSync(1, `${JSON.stringify(line)}\n`)

/** Notes which functions of the addon are called while something may fail. */
function noteCalls() {
  for (const name of Object.keys(native).filter((each) => typeof native[each] === 'function')) {
    const real = native[name]
    native[name] = (...args) => {
      if (state.isArmed) called.add(name === 'ask' ? `ask ${args[1]}` : name)
      return real(...args)
    }
  }
}

const state = { isArmed: false, kind: 'memory', n: 0, isSticky: false, breach: null }

/** What a scenario or the process says against this point; the first word counts. */
function find(what) {
  state.breach ??= what
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Settles to {value} or {error}; {isLate} where that takes too long. */
function outcomeOf(promise, ms) {
  let timer
  const late = new Promise((resolve) => { timer = setTimeout(() => resolve({ isLate: true }), ms) })
  return Promise.race([promise.then((value) => ({ value }), (error) => ({ error })), late]).finally(() => clearTimeout(timer))
}

/** The part of a scenario that must bear it. */
async function starve(act) {
  control.arm(KINDS[state.kind], state.n, state.isSticky ? 1 : 0)
  state.isArmed = true
  let promise
  try {
    promise = Promise.resolve(act())
  } catch (error) {
    promise = Promise.reject(error)
  }
  let outcome = await outcomeOf(promise, HUNGRY_MS)
  state.isArmed = false
  const [asked, failed] = control.disarm()
  if (outcome.isLate) outcome = await outcomeOf(promise, LIMIT_MS)
  return { ...outcome, asked, failed }
}

function judge({ isLate, error, failed }) {
  if (isLate) find('it hangs')
  if (error === undefined) return
  if (failed === 0) find(`it fails though nothing was refused: ${error?.stack ?? error}`)
  if (!DOCUMENTED[state.kind].includes(error?.code)) find(`an error that is not documented: ${error?.stack ?? error}`)
  if (!(typeof error?.message === 'string' && error.message !== '')) find('an error without a message')
}

/** The same with nothing refused. */
async function again(scenario, world) {
  const second = await outcomeOf(Promise.resolve().then(() => scenario.act(world, true)), LIMIT_MS)
  if (second.isLate) find('once more, with memory: it hangs')
  else if (second.error !== undefined) find(`once more, with memory: ${second.error?.stack ?? second.error}`)
  else await scenario.check?.(world, second.value, find)
}

async function point(scenario, directory) {
  const world = { directory: fs.mkdtempSync(path.join(directory, 'p')), state }
  state.breach = null
  control.track()
  await scenario.begin?.(world)
  const outcome = await starve(() => scenario.act(world, false))
  judge(outcome)
  if (outcome.isLate) return outcome
  world.error = outcome.error
  if (outcome.error === undefined) await scenario.check?.(world, outcome.value, find)
  else if (scenario.isOnce !== true) await again(scenario, world)
  const ended = await outcomeOf(Promise.resolve(scenario.end?.(world, find)), LIMIT_MS)
  if (ended.isLate) find('its end hangs')
  if (ended.error !== undefined) find(`its end: ${ended.error?.stack ?? ended.error}`)
  outcome.isLate = ended.isLate
  // What goes with a turn of the event loop.
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
  outcome.left = control.untrack()
  fs.rmSync(world.directory, { recursive: true, force: true })
  return outcome
}

/** A leak is what stays more than once: some blocks go with a timer, or grow with use. */
async function check(scenario, directory, left) {
  let outcome = await point(scenario, directory)
  for (let i = 0; i < 2 && state.breach === null && outcome.left > left; i++) {
    await wait(20)
    outcome = await point(scenario, directory)
  }
  if (state.breach === null && outcome.left > left) find(`${outcome.left - left} blocks were not given back`)
  return outcome
}

async function warm(scenario, directory) {
  let asked = 0
  let left = 0
  state.n = 0
  for (let i = 0; i < WARM_ROUNDS; i++) {
    const outcome = await point(scenario, directory)
    if (state.breach !== null) throw new Error(`without any failure: ${state.breach}`)
    asked = outcome.asked
    left = outcome.left
  }
  return { asked, left }
}

function strideFor(asked, wanted) {
  if (wanted.startsWith('~')) return Math.max(1, Math.ceil(asked / Number(wanted.slice(1))))
  return Number(wanted)
}

async function main([name, kind, mode, wanted, first]) {
  const scenarios = require('./node.cjs')
  const scenario = scenarios[name]
  const directory = fs.mkdtempSync(path.join(process.env.STARVE_DIRECTORY ?? os.tmpdir(), 'node-'))
  const sum = { points: 0, succeeded: 0, refused: 0 }
  noteCalls()
  state.kind = kind
  state.isSticky = mode === 'sticky'
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, (error) => find(`${event}: ${error?.stack ?? error}`))
  }
  if (control.watch(LIBRARIES) < 5) throw new Error(`of ${LIBRARIES} not all are loaded`)
  const { asked, left } = await warm(scenario, directory)
  const stride = strideFor(asked, wanted)
  for (let n = Number(first ?? 1); n <= asked; n += stride) {
    say({ at: n, stride })
    state.n = n
    const outcome = await check(scenario, directory, left)
    sum.points++
    sum[outcome.error === undefined ? 'succeeded' : 'refused']++
    if (state.breach !== null) say({ finding: state.breach, at: n })
    if (outcome.isLate) break // nothing that follows could be told apart from it
  }
  fs.rmSync(directory, { recursive: true, force: true })
  say({ end: { ...sum, asked, called: [...called] } })
  process.exit(0)
}

if (process.argv[2] === 'list') {
  for (const [name, { kinds }] of Object.entries(require('./node.cjs'))) console.log(name, (kinds ?? Object.keys(KINDS)).join(','))
} else {
  main(process.argv.slice(2)).catch((error) => {
    say({ finding: `the scenario itself: ${error?.stack ?? error}`, at: state.n })
    process.exit(1)
  })
}
