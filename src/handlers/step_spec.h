/* SPDX-License-Identifier: MIT */
/*
 * What a host says about a step that it enqueues: whether all of it is allowed, and a copy of all
 * that it points at. Pure.
 */
#ifndef SB_HANDLERS_STEP_SPEC_H
#define SB_HANDLERS_STEP_SPEC_H

#include "base/text.h"

enum { SB_PRIORITY_DEFAULT = 100, SB_PRIORITY_MAX = 10000 };

/* The longest time that may be said, ten years. */
#define SB_STEP_SPEC_TIME_MS_MAX (INT64_C(10) * 366 * 24 * 3600 * 1000)

/* Whether a spec is one that could be enqueued. */
stepbus_status sb_step_spec_check(const stepbus_step_spec *spec, size_t payload_len_max,
				  stepbus_error *err);

/* How much room the copies of what specs point at take. */
size_t sb_step_spec_copied_len(const stepbus_step_spec *specs, size_t count);
/* Copies what a spec points at to *at, moves *at behind it, and points the spec there. */
void sb_step_spec_copy(stepbus_step_spec *spec, char **at);

#endif
