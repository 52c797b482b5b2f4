/* SPDX-License-Identifier: MIT */
/*
 * What docs/RETRY.md promises of delays, reckoned anew: not sooner than this. Pure.
 */
#ifndef TESTS_SIM_POLICY_H
#define TESTS_SIM_POLICY_H

#include "sim/sim/model.h"

/* After st->charged_count attempts; retry_after_ms -1: the host said nothing. */
int64_t policy_delay_min_us(const sim_step *st, int64_t retry_after_ms);

#endif
