/* SPDX-License-Identifier: MIT */
#include "support/famine.h"

#include <stdio.h>
#include <string.h>

#include "support/cmocka.h"

enum { BREACH = 4711 };

void test_famine_give(test_famine *f)
{
	atomic_fetch_add(&f->given, 1);
}

void test_famine_destroy(void *user_data)
{
	atomic_fetch_add(&((test_famine *)user_data)->destroyed, 1);
}

stepbus_status test_famine_breach(stepbus_error *err, const char *what)
{
	snprintf(err->message, sizeof err->message, "%s", what);
	return BREACH;
}

static stepbus_status begin(test_famine *f, stepbus_error *err)
{
	const stepbus_bridge_options bridge = { .size = sizeof bridge,
						.flags = STEPBUS_BRIDGE_ALLOW_UNDECLARED,
						.host = &f->t->host };
	const stepbus_registry_options registry = { .size = sizeof registry, .host = &f->t->host };
	stepbus_status status = stepbus_bridge_new(&bridge, &f->bridge, err);

	if (status == STEPBUS_OK)
		status = stepbus_bridge_start(f->bridge, err);
	return status == STEPBUS_OK ? stepbus_registry_new(&registry, &f->registry, err) : status;
}

/* Once more, with memory. */
static stepbus_status act_again(test_famine *f, test_famine_act act, stepbus_status before,
				stepbus_error *err)
{
	stepbus_error again = STEPBUS_ERROR_INIT;
	size_t fail_at = f->t->fail_at;
	stepbus_status status;
	char message[256];

	f->t->fail_at = 0;
	status = act(f, &again);
	f->t->fail_at = fail_at;
	if (status == STEPBUS_OK)
		return before;
	snprintf(message, sizeof message, "what failed before cannot be done again: %d, %.180s",
		 status, again.message);
	return test_famine_breach(err, message);
}

static void end(test_famine *f)
{
	if (f->end_extra != NULL)
		f->end_extra(f);
	stepbus_registry_free(f->registry);
	stepbus_bridge_free(f->bridge);
}

stepbus_status test_famine_try(test_host *t, stepbus_error *err, test_famine_act act, bool has_log)
{
	test_famine f = { .t = t };
	size_t fail_at = t->fail_at;
	bool is_begun;
	stepbus_status status;

	if (!has_log)
		t->host.log = NULL;
	status = begin(&f, err);
	is_begun = status == STEPBUS_OK;
	if (is_begun)
		status = act(&f, err);
	if (is_begun && status != STEPBUS_OK && status != BREACH)
		status = act_again(&f, act, status, err);
	/* Ending cannot fail, so where every failure is to be told it may have its memory. */
	if (!has_log)
		t->fail_at = 0;
	end(&f);
	if (f.given != f.destroyed) {
		char message[96];

		snprintf(message, sizeof message, "%d destroys were given, %d ran", f.given,
			 f.destroyed);
		status = test_famine_breach(err, message);
	}
	/* is_any_status lets everything pass but this. */
	if (status == BREACH)
		fail_msg("allocation %zu%s: %s", fail_at, t->is_sticky ? " and all after" : "",
			 err->message);
	return status;
}
