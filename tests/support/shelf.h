/* SPDX-License-Identifier: MIT */
/* A registry on a test host, as the tests of the registry set it up. */
#ifndef TESTS_SUPPORT_SHELF_H
#define TESTS_SUPPORT_SHELF_H

#include "support/host.h"
#include "support/spec.h"

typedef struct test_shelf {
	test_host host;
	stepbus_registry *registry;
	stepbus_error err;
	_Atomic(int) destroyed; /* by the handlers of test_shelf_add */
} test_shelf;

/* For cmocka: *state becomes the shelf, ended by test_shelf_end. */
int test_shelf_begin(void **state);
int test_shelf_end(void **state);

/* Registers test_counted_spec with flags; the message of a failure is in err. */
stepbus_status test_shelf_add(test_shelf *shelf, const char *name, const char *version,
			      uint32_t flags);
/* Whether the message of the last failure has this in it. */
bool test_shelf_said(test_shelf *shelf, const char *part);
bool test_shelf_has(test_shelf *shelf, const char *name, const char *version);
stepbus_status test_shelf_remove(test_shelf *shelf, const char *name, const char *version);

#endif
