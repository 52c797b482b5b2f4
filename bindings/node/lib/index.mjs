// SPDX-License-Identifier: MIT
import stepbus from './index.js'

export const { Stepbus, StepbusError, StepFailure, Retryable, Permanent, Snooze, version, buildInfo } = stepbus
export default stepbus
