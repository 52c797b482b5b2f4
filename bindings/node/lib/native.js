// SPDX-License-Identifier: MIT
// Loads the addon. Whatever keeps it from being loaded is told as a StepbusError.
'use strict'

const path = require('node:path')
const { StepbusError } = require('./errors.js')

// Another build of the addon, for tests: build/asan.
const build = process.env.STEPBUS_NODE_BUILD || 'build'
const file = path.join(__dirname, '..', build, 'stepbus.node')

function load() {
  try {
    return require(file)
  } catch (error) {
    if (error.code === 'STEPBUS_EVERSION') throw new StepbusError(error.code, error.message)
    const code = error.code === 'MODULE_NOT_FOUND' ? 'STEPBUS_ENOTFOUND' : 'STEPBUS_EVERSION'
    throw new StepbusError(
      code,
      `cannot load the native part of stepbus: ${error.message}; install the package anew for this machine, ` +
        'with libevent, cJSON and SQLite',
      { cause: error },
    )
  }
}

module.exports = load()
