/* SPDX-License-Identifier: MIT */
/* What tests register, ask for and announce, in as few words as they need. */
#ifndef TESTS_SUPPORT_SPEC_H
#define TESTS_SUPPORT_SPEC_H

#include <stdatomic.h>

#include "include/stepbus.h"

/* version NULL: not said. Its call is test_succeed. */
stepbus_handler_spec test_spec(const char *name, const char *version);
/* The same with user_data, and a destroy that counts itself there. */
stepbus_handler_spec test_counted_spec(const char *name, const char *version,
				       _Atomic(int) *destroyed);
stepbus_handler_key test_key(const char *name, const char *version);
/* An attempt with token 7 and the input {"n":1}. */
stepbus_step_event test_step(const char *handler_name);

/* A handler whose result is "ok". */
int32_t test_succeed(void *instance, const stepbus_context *context, stepbus_result *result);
/* A destroy: adds one to the _Atomic(int) at user_data. */
void test_count(void *user_data);

/* Which version resolves: NULL where none does. Valid until the handler is unregistered. */
const char *test_resolved_version(stepbus_registry *registry, const stepbus_handler_key *key);

#endif
