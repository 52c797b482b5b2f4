/* SPDX-License-Identifier: MIT */
#include "handlers/context.h"

#include <stdio.h>

#include "base/error.h"
#include "base/utf8.h"

enum { LIST_LEN = 400 };

static void write_names(const stepbus_step_event *step, char text[LIST_LEN])
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < step->dependency_count && len < LIST_LEN; i++) {
		sb_shown shown;

		len += (size_t)snprintf(text + len, LIST_LEN - len, "%s'%s'", i > 0 ? ", " : "",
					sb_show(&shown, step->dependencies[i].step_name,
						step->dependencies[i].step_name_len));
	}
}

stepbus_status sb_context_dependency(const stepbus_context *context, sb_slice step_name,
				     const stepbus_dependency **out, stepbus_error *err)
{
	const stepbus_step_event *step = context->step;
	char names[LIST_LEN];
	sb_shown shown;

	for (size_t i = 0; i < step->dependency_count; i++) {
		const stepbus_dependency *dependency = &step->dependencies[i];

		if (sb_slice_is_equal(step_name, sb_slice_of(dependency->step_name,
							     dependency->step_name_len))) {
			*out = dependency;
			return STEPBUS_OK;
		}
	}
	write_names(step, names);
	return sb_fail(err, STEPBUS_ENOTFOUND,
		       "the step does not depend on '%s': it depends on [%s]",
		       sb_show(&shown, step_name.data, step_name.len), names);
}
