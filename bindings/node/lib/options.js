// SPDX-License-Identifier: MIT
// Options as people write them become the records and documents of the library. Nothing is guessed: an
// option that does not exist is refused, with the nearest one.
'use strict'

const { invalid } = require('./errors.js')
const { describe } = require('./uuid.js')
const { layouts } = require('./record.js')

const YEAR_10000 = 253402300800000
const US = 1000
const SCOPES = { queue: 1, handler: 2 }
const STATES = [
  'waiting', 'scheduled', 'ready', 'parked', 'running', 'completed', 'failed', 'cancelled', 'quarantined',
]
const KINDS = { none: 1, fixed: 2, linear: 3, exponential: 4, fibonacci: 5 }

/** How many letters two words differ by. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}

function unknown(name, what, known) {
  const near = known.map((each) => [distance(name, each), each]).sort((a, b) => a[0] - b[0])[0]
  const hint = near[0] <= 3 ? ` (did you mean ${near[1]}?)` : ''
  return invalid(`${what} have no ${name}${hint}; there are ${known.join(', ')}`)
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Checks that these are options, and known ones. */
function check(options, what, known) {
  if (!isObject(options)) throw invalid(`${what} must be an object, not ${describe(options)}`)
  for (const name of Object.keys(options)) {
    if (!known.includes(name) && options[name] !== undefined) throw unknown(name, what, known)
  }
}

function text(value, name) {
  if (typeof value === 'string') return value
  throw invalid(`${name} must be a text, not ${describe(value)}`)
}

function integer(value, name, min = 0, max = Number.MAX_SAFE_INTEGER) {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw invalid(`${name} must be a whole number from ${min} to ${max}, not ${describe(value)}`)
}

function words(value, name) {
  if (Array.isArray(value)) return value.map((each) => text(each, `${name} (each of them)`)).join(',')
  return text(value, name)
}

function document(value, name) {
  if (isObject(value)) return JSON.stringify(value)
  throw invalid(`${name} must be an object, not ${describe(value)}`)
}

function oneOf(table, value, name) {
  if (typeof value === 'string' && Object.hasOwn(table, value)) return table[value]
  throw invalid(`${name} must be one of ${Object.keys(table).join(', ')}, not ${describe(value)}`)
}

function time(value, name) {
  const ms = value instanceof Date ? value.getTime() : value
  if (Number.isFinite(ms) && ms >= 0 && ms < YEAR_10000) return Math.round(ms * US)
  throw invalid(`${name} must be a Date, or milliseconds since 1970, not ${describe(value)}`)
}

/** How a field is written: name of the field, and what makes its value. */
const asText = (field) => ({ field, write: (pack, at, value, name) => pack.text(at, text(value, name)) })
const asWords = (field) => ({ field, write: (pack, at, value, name) => pack.text(at, words(value, name)) })
const asDocument = (field) => ({ field, write: (pack, at, value, name) => pack.text(at, document(value, name)) })
const asInt64 = (field) => ({ field, write: (pack, at, value, name) => pack.int64(at, integer(value, name)) })
const asInt32 = (field, max = 0x7fffffff) => ({
  field,
  write: (pack, at, value, name) => { pack.words[at] = integer(value, name, 0, max) },
})
const asTime = (field) => ({ field, write: (pack, at, value, name) => pack.int64(at, time(value, name)) })

const RETRY = {
  kind: { field: 'retry_kind', write: (pack, at, value, name) => { pack.words[at] = oneOf(KINDS, value, name) } },
  base: asInt64('retry_base_ms'),
  cap: asInt64('retry_cap_ms'),
  jitter: asInt32('jitter_percent', 100),
  attempts: asInt32('attempt_count_max', 1000),
}
const TIMEOUT = {
  wait: asInt64('wait_timeout_ms'),
  attempt: asInt64('attempt_timeout_ms'),
  total: asInt64('total_timeout_ms'),
}
const UNIQUE = {
  key: asText('unique_key'),
  period: asInt64('unique_period_ms'),
  scope: { field: 'unique_scope', write: (pack, at, value, name) => { pack.words[at] = bits(value, name, SCOPES) } },
  states: { field: 'unique_states', write: (pack, at, value, name) => { pack.words[at] = bits(value, name, STATE_BITS) } },
}
const STATE_BITS = Object.fromEntries(STATES.map((state, i) => [state, 1 << (i + 1)]))

function bits(value, name, table) {
  return [value].flat().reduce((sum, each) => sum | oneOf(table, each, name), 0)
}

/** Options that are objects of options. */
const nested = (table, short) => ({ table, short })

const STEP = {
  namespace: asText('handler_namespace'),
  version: asText('handler_version'),
  queue: asText('queue'),
  contentType: asText('content_type'),
  stepName: asText('step_name'),
  config: asDocument('step_config'),
  correlationId: asText('correlation_id'),
  traceparent: asText('traceparent'),
  caller: asText('caller'),
  tags: asWords('tags'),
  concurrencyKey: asText('concurrency_key'),
  idempotencyKey: asText('idempotency_key'),
  unique: nested(UNIQUE, 'key'),
  runAt: asTime('run_at_us'),
  delay: asInt64('delay_ms'),
  timeout: nested(TIMEOUT, 'attempt'),
  retry: nested(RETRY),
  priority: asInt32('priority', 10000),
}

const FLAGS = { override: 1, default: 2, versionFromInput: 4 }
const flag = (bit) => ({
  field: 'flags',
  write: (pack, at, value, name) => {
    if (typeof value !== 'boolean') throw invalid(`${name} must be true or false, not ${describe(value)}`)
    if (value) pack.words[at] |= bit
  },
})

const HANDLER = {
  namespace: asText('handler_namespace'),
  version: asText('version'),
  domain: asText('domain'),
  description: asText('description'),
  capabilities: asWords('capabilities'),
  configSchema: asDocument('config_schema'),
  queues: asWords('permitted_queues'),
  callers: asWords('permitted_callers'),
  timeout: nested(TIMEOUT, 'attempt'),
  retry: nested(RETRY),
  concurrency: asInt32('concurrency_max'),
  ratePerMinute: asInt32('rate_per_minute'),
  override: flag(FLAGS.override),
  default: flag(FLAGS.default),
  versionFromInput: flag(FLAGS.versionFromInput),
}

function write(pack, base, at, options, table, what, prefix = '') {
  check(options, what, Object.keys(table))
  for (const name of Object.keys(options)) {
    const value = options[name]
    if (value === undefined) continue
    const { field, write: put, table: inner, short } = table[name]
    if (inner === undefined) put(pack, base + at[field], value, prefix + name)
    else if (short !== undefined && !isObject(value)) {
      inner[short].write(pack, base + at[inner[short].field], value, prefix + name)
    } else write(pack, base, at, value, inner, name, `${name}.`)
  }
}

/** Writes the options of enqueue into a record. */
const writeStep = (pack, base, options) => write(pack, base, layouts.step.at, options, STEP, 'the options of a step')
/** Writes those of step() into one. */
const writeHandler = (pack, base, options) =>
  write(pack, base, layouts.handler.at, options, HANDLER, 'the options of a handler')

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The keys of a document of the library are written leaseMs or lease_ms; those of `kept` are names. */
function toDocument(value, kept = []) {
  if (Array.isArray(value)) return value.map((each) => toDocument(each))
  if (!isObject(value) || value instanceof Date) return value
  const out = {}
  for (const [name, each] of Object.entries(value)) out[snake(name)] = kept.includes(name) ? each : toDocument(each)
  return out
}

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())

/** The keys of the library's documents as JavaScript writes names; not those of what hosts put into them. */
function fromDocument(value, kept = []) {
  if (Array.isArray(value)) return value.map((each) => fromDocument(each, kept))
  if (!isObject(value)) return value
  const out = {}
  for (const [name, each] of Object.entries(value)) out[camel(name)] = kept.includes(name) ? each : fromDocument(each, kept)
  return out
}

module.exports = { check, text, integer, isObject, writeStep, writeHandler, toDocument, fromDocument }
