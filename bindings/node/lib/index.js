// SPDX-License-Identifier: MIT
'use strict'

const native = require('./native.js')
const { StepbusError, StepFailure, Retryable, Permanent, Snooze } = require('./errors.js')
const { Stepbus } = require('./app.js')

/** The version of the library; buildInfo() tells more. */
const { version } = native
const buildInfo = () => JSON.parse(native.buildInfo())

module.exports = { Stepbus, StepbusError, StepFailure, Retryable, Permanent, Snooze, version, buildInfo }
