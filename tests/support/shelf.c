/* SPDX-License-Identifier: MIT */
#include "support/shelf.h"

#include <string.h>

#include "support/cmocka.h"

int test_shelf_begin(void **state)
{
	static test_shelf shelf;
	stepbus_registry_options options = { .size = sizeof options };

	test_host_init(&shelf.host);
	options.host = &shelf.host.host;
	shelf.err = (stepbus_error)STEPBUS_ERROR_INIT;
	atomic_init(&shelf.destroyed, 0);
	*state = &shelf;
	return stepbus_registry_new(&options, &shelf.registry, &shelf.err);
}

int test_shelf_end(void **state)
{
	test_shelf *shelf = *state;

	stepbus_registry_free(shelf->registry);
	test_host_end(&shelf->host);
	return 0;
}

stepbus_status test_shelf_add(test_shelf *shelf, const char *name, const char *version,
			      uint32_t flags)
{
	stepbus_handler_spec spec = test_counted_spec(name, version, &shelf->destroyed);

	spec.flags = flags;
	return stepbus_registry_register(shelf->registry, &spec, &shelf->err);
}

bool test_shelf_said(test_shelf *shelf, const char *part)
{
	return strstr(shelf->err.message, part) != NULL;
}

bool test_shelf_has(test_shelf *shelf, const char *name, const char *version)
{
	const stepbus_handler_key key = test_key(name, version);

	return stepbus_registry_is_registered(shelf->registry, &key) == 1;
}

stepbus_status test_shelf_remove(test_shelf *shelf, const char *name, const char *version)
{
	const stepbus_handler_key key = test_key(name, version);

	return stepbus_registry_unregister(shelf->registry, &key, &shelf->err);
}
