// SPDX-License-Identifier: MIT
// Ids: text for people, 16 bytes for the library.
'use strict'

const { invalid } = require('./errors.js')

const PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

function formatId(bytes, at) {
  const hex = bytes.toString('hex', at, at + 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function parseId(id) {
  if (typeof id !== 'string' || !PATTERN.test(id)) {
    throw invalid(`the id of a step is needed, as enqueue gives it, not ${describe(id)}`)
  }
  return Buffer.from(id.replaceAll('-', ''), 'hex')
}

/** Shows a value in a message. */
function describe(value) {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (value === null || ['undefined', 'boolean', 'number'].includes(typeof value)) return String(value)
  if (typeof value === 'bigint') return `${value}n`
  return `a ${Array.isArray(value) ? 'list' : typeof value}`
}

module.exports = { formatId, parseId, describe }
