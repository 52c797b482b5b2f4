/* SPDX-License-Identifier: MIT */
#include "registry/registry.h"

#include <stdio.h>

#include "support/cmocka.h"
#include "support/shelf.h"

static void a_registered_handler_is_found_with_its_definition(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_handler_key key = test_key("mail", "1.0.0");
	stepbus_handler *handler = NULL;
	const stepbus_handler_spec *definition;

	assert_int_equal(test_shelf_add(shelf, "mail", "1.0.0", 0), STEPBUS_OK);
	assert_int_equal(stepbus_registry_resolve(shelf->registry, &key, &handler, &shelf->err),
			 STEPBUS_OK);
	definition = stepbus_handler_definition(handler);
	assert_string_equal(definition->name, "mail");
	assert_string_equal(definition->version, "1.0.0");
	assert_string_equal(definition->handler_namespace, "default");
	assert_string_equal(definition->capabilities, "process");
	assert_int_equal(definition->size, sizeof *definition);
	assert_ptr_equal(definition->call, test_succeed);
	assert_ptr_equal(definition->user_data, &shelf->destroyed);
	stepbus_handler_unref(handler);
}

static void what_is_registered_is_told_and_counted(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "1.0.0", 0);
	test_shelf_add(shelf, "mail", "2.0.0", 0);
	test_shelf_add(shelf, "sms", NULL, 0);
	assert_int_equal(stepbus_registry_count(shelf->registry), 3);
	assert_true(test_shelf_has(shelf, "mail", "1.0.0"));
	assert_true(test_shelf_has(shelf, "mail", NULL));
	assert_true(test_shelf_has(shelf, "sms", "0.1.0"));
	assert_false(test_shelf_has(shelf, "mail", "3.0.0"));
	assert_false(test_shelf_has(shelf, "fax", NULL));
}

static void the_same_name_and_version_twice_is_refused_with_the_way_out(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "1.0.0", 0);
	assert_int_equal(test_shelf_add(shelf, "mail", "1.0.0", 0), STEPBUS_EEXISTS);
	assert_string_equal(
		shelf->err.message,
		"handler 'mail' is already registered in namespace 'default', version '1.0.0': use "
		"STEPBUS_HANDLER_OVERRIDE to replace it, or another version");
	assert_int_equal(shelf->destroyed, 1);
	assert_int_equal(stepbus_registry_count(shelf->registry), 1);
}

static void a_default_version_and_the_same_one_said_are_the_same(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", NULL, 0);
	assert_int_equal(test_shelf_add(shelf, "mail", "0.1.0", 0), STEPBUS_EEXISTS);
}

static void override_replaces_and_destroys_the_old_one_once(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_handler_key key = test_key("mail", "1.0.0");
	_Atomic(int) destroyed = 0;
	stepbus_handler_spec spec = test_counted_spec("mail", "1.0.0", &destroyed);
	stepbus_handler *handler = NULL;

	test_shelf_add(shelf, "mail", "1.0.0", 0);
	spec.flags = STEPBUS_HANDLER_OVERRIDE;
	assert_int_equal(stepbus_registry_register(shelf->registry, &spec, NULL), STEPBUS_OK);
	assert_int_equal(shelf->destroyed, 1);
	assert_int_equal(destroyed, 0);
	assert_int_equal(stepbus_registry_count(shelf->registry), 1);
	assert_int_equal(stepbus_registry_resolve(shelf->registry, &key, &handler, NULL), 0);
	assert_ptr_equal(stepbus_handler_definition(handler)->user_data, &destroyed);
	stepbus_handler_unref(handler);
	/* While its counter is still there. */
	stepbus_registry_clear(shelf->registry, NULL);
	assert_int_equal(destroyed, 1);
}

static void override_of_nothing_registers(void **state)
{
	test_shelf *shelf = *state;

	assert_int_equal(test_shelf_add(shelf, "mail", "1.0.0", STEPBUS_HANDLER_OVERRIDE),
			 STEPBUS_OK);
	assert_true(test_shelf_has(shelf, "mail", "1.0.0"));
}

static void override_may_take_the_mark_of_the_default_away(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_handler_key key = test_key("mail", NULL);

	test_shelf_add(shelf, "mail", "1.0.0", STEPBUS_HANDLER_DEFAULT);
	test_shelf_add(shelf, "mail", "2.0.0", 0);
	assert_string_equal(test_resolved_version(shelf->registry, &key), "1.0.0");
	test_shelf_add(shelf, "mail", "1.0.0", STEPBUS_HANDLER_OVERRIDE);
	assert_string_equal(test_resolved_version(shelf->registry, &key), "2.0.0");
}

typedef struct resolve_row {
	const char *registered; /* versions, split by spaces; '*' in front marks the default */
	const char *asked;      /* NULL: no version */
	uint32_t flags;
	const char *found; /* NULL: not found */
} resolve_row;

static const resolve_row resolve_rows[] = {
	{ "v1 v2 v3", "v3", 0, "v3" },
	{ "v1 v2", "v3", 0, "v2" },
	{ "v1", "v3", 0, "v1" },
	{ "v1", "v2", 0, "v1" },
	{ "v2 v3", "v1", 0, NULL },
	{ "*v2 v3", "v1", 0, "v2" },
	{ "*v9", "v3", 0, "v9" },
	{ "v9", "v3", 0, NULL },
	{ "v1 *v2 v3", NULL, 0, "v2" },
	{ "v1 v2 v3", NULL, 0, "v3" },
	{ "v1 *v2", "v1", 0, "v1" },
	{ "*v1 v2 v4", "v3", 0, "v2" },
	{ "1.2.0 1.10.0", "1.9.9", 0, "1.2.0" },
	{ "1.0.0-rc1", "1.0.0", 0, "1.0.0-rc1" },
	{ "1.0.0", "1.0.0-rc1", 0, NULL },
	{ "v1 v2", "v2", STEPBUS_KEY_EXACT, "v2" },
	{ "v1 v2", "v3", STEPBUS_KEY_EXACT, NULL },
	{ "v1 *v2", "v3", STEPBUS_KEY_EXACT, NULL },
	{ "v2", "2", STEPBUS_KEY_EXACT, NULL },
};

static void register_versions(test_shelf *shelf, const char *versions)
{
	while (*versions != '\0') {
		size_t len = strcspn(versions, " ");
		bool is_default = *versions == '*';
		char version[16];

		snprintf(version, sizeof version, "%.*s", (int)(len - is_default),
			 versions + is_default);
		test_shelf_add(shelf, "mail", version, is_default ? STEPBUS_HANDLER_DEFAULT : 0);
		versions += len + (versions[len] == ' ');
	}
}

static void versions_resolve_as_the_table_says(void **state)
{
	test_shelf *shelf = *state;

	for (size_t i = 0; i < sizeof resolve_rows / sizeof *resolve_rows; i++) {
		const resolve_row *row = &resolve_rows[i];
		stepbus_handler_key key = test_key("mail", row->asked);
		const char *found;

		register_versions(shelf, row->registered);
		key.flags = row->flags;
		found = test_resolved_version(shelf->registry, &key);
		if ((found == NULL) != (row->found == NULL) ||
		    (found != NULL && strcmp(found, row->found) != 0))
			fail_msg("of '%s', '%s' should resolve to %s, not to %s", row->registered,
				 row->asked != NULL ? row->asked : "nothing",
				 row->found != NULL ? row->found : "nothing",
				 found != NULL ? found : "nothing");
		assert_int_equal(stepbus_registry_clear(shelf->registry, NULL), STEPBUS_OK);
	}
}

static stepbus_status add_to_namespace(test_shelf *shelf, const char *handler_namespace,
				       const char *name)
{
	stepbus_handler_spec spec = test_counted_spec(name, NULL, &shelf->destroyed);

	spec.handler_namespace = handler_namespace;
	spec.handler_namespace_len = strlen(handler_namespace);
	return stepbus_registry_register(shelf->registry, &spec, &shelf->err);
}

static void namespaces_are_separate(void **state)
{
	test_shelf *shelf = *state;
	stepbus_handler_key key = test_key("mail", NULL);

	assert_int_equal(add_to_namespace(shelf, "billing", "mail"), STEPBUS_OK);
	assert_int_equal(add_to_namespace(shelf, "users", "mail"), STEPBUS_OK);
	assert_null(test_resolved_version(shelf->registry, &key));
	assert_false(test_shelf_has(shelf, "mail", NULL));
	key.handler_namespace = "billing";
	key.handler_namespace_len = 7;
	assert_non_null(test_resolved_version(shelf->registry, &key));
	assert_int_equal(stepbus_registry_unregister(shelf->registry, &key, NULL), STEPBUS_OK);
	assert_null(test_resolved_version(shelf->registry, &key));
	assert_int_equal(stepbus_registry_count(shelf->registry), 1);
}

static void the_default_namespace_may_be_said(void **state)
{
	test_shelf *shelf = *state;

	assert_int_equal(add_to_namespace(shelf, "default", "mail"), STEPBUS_OK);
	assert_true(test_shelf_has(shelf, "mail", NULL));
}

static void names_are_compared_byte_by_byte(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", NULL, 0);
	assert_false(test_shelf_has(shelf, "Mail", NULL));
	assert_false(test_shelf_has(shelf, "mai", NULL));
	assert_false(test_shelf_has(shelf, "mail.", NULL));
	assert_int_equal(test_shelf_add(shelf, "Mail", NULL, 0), STEPBUS_OK);
}

static void unregistering_a_version_leaves_the_others(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", 0);
	test_shelf_add(shelf, "mail", "v2", 0);
	assert_int_equal(test_shelf_remove(shelf, "mail", "v1"), STEPBUS_OK);
	assert_false(test_shelf_has(shelf, "mail", "v1"));
	assert_true(test_shelf_has(shelf, "mail", "v2"));
	assert_int_equal(shelf->destroyed, 1);
}

static void unregistering_without_a_version_takes_all(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", 0);
	test_shelf_add(shelf, "mail", "v2", 0);
	test_shelf_add(shelf, "sms", "v1", 0);
	assert_int_equal(test_shelf_remove(shelf, "mail", NULL), STEPBUS_OK);
	assert_int_equal(stepbus_registry_count(shelf->registry), 1);
	assert_int_equal(shelf->destroyed, 2);
}

/* Unlike resolving: what is named is what goes. */
static void unregistering_does_not_fall_back(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", STEPBUS_HANDLER_DEFAULT);
	assert_int_equal(test_shelf_remove(shelf, "mail", "v2"), STEPBUS_ENOTFOUND);
	assert_true(test_shelf_has(shelf, "mail", "v1"));
}

static void unregistering_twice_is_not_found(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", 0);
	assert_int_equal(test_shelf_remove(shelf, "mail", NULL), STEPBUS_OK);
	assert_int_equal(test_shelf_remove(shelf, "mail", NULL), STEPBUS_ENOTFOUND);
	assert_int_equal(shelf->destroyed, 1);
}

static void an_unregistered_name_can_be_registered_again(void **state)
{
	test_shelf *shelf = *state;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(test_shelf_add(shelf, "mail", "v1", 0), STEPBUS_OK);
		assert_int_equal(test_shelf_remove(shelf, "mail", "v1"), STEPBUS_OK);
	}
	assert_int_equal(shelf->destroyed, 100);
}

static void clearing_unregisters_all(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", 0);
	test_shelf_add(shelf, "mail", "v2", 0);
	test_shelf_add(shelf, "sms", NULL, 0);
	assert_int_equal(stepbus_registry_clear(shelf->registry, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_registry_count(shelf->registry), 0);
	assert_int_equal(shelf->destroyed, 3);
	assert_false(test_shelf_has(shelf, "mail", NULL));
	assert_int_equal(test_shelf_add(shelf, "mail", "v1", 0), STEPBUS_OK);
}

static void clearing_an_empty_registry_does_nothing(void **state)
{
	test_shelf *shelf = *state;

	assert_int_equal(stepbus_registry_clear(shelf->registry, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_registry_count(shelf->registry), 0);
}

static void a_sealed_registry_can_only_be_read(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", 0);
	assert_int_equal(stepbus_registry_is_sealed(shelf->registry), 0);
	assert_int_equal(stepbus_registry_seal(shelf->registry, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_registry_is_sealed(shelf->registry), 1);
	assert_int_equal(test_shelf_add(shelf, "sms", NULL, 0), STEPBUS_ESEALED);
	assert_true(test_shelf_said(shelf, "sealed"));
	assert_int_equal(test_shelf_remove(shelf, "mail", "v1"), STEPBUS_ESEALED);
	assert_int_equal(test_shelf_remove(shelf, "fax", NULL), STEPBUS_ESEALED);
	assert_int_equal(stepbus_registry_clear(shelf->registry, NULL), STEPBUS_ESEALED);
	assert_int_equal(stepbus_registry_seal(shelf->registry, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_registry_count(shelf->registry), 1);
	assert_true(test_shelf_has(shelf, "mail", "v1"));
	/* The one that was refused. */
	assert_int_equal(shelf->destroyed, 1);
}

static void freeing_a_sealed_registry_destroys_what_is_in_it(void **state)
{
	test_shelf *shelf = *state;

	test_shelf_add(shelf, "mail", "v1", 0);
	stepbus_registry_seal(shelf->registry, NULL);
	stepbus_registry_free(shelf->registry);
	shelf->registry = NULL;
	assert_int_equal(shelf->destroyed, 1);
}

static void a_full_registry_refuses_until_there_is_room(void **state)
{
	test_shelf *shelf = *state;
	stepbus_registry_options options = { .size = sizeof options,
					     .host = &shelf->host.host,
					     .handler_count_max = 2 };

	stepbus_registry_free(shelf->registry);
	assert_int_equal(stepbus_registry_new(&options, &shelf->registry, NULL), STEPBUS_OK);
	test_shelf_add(shelf, "mail", "v1", 0);
	test_shelf_add(shelf, "mail", "v2", 0);
	assert_int_equal(test_shelf_add(shelf, "sms", NULL, 0), STEPBUS_ELIMIT);
	assert_true(test_shelf_said(shelf, "handler_count_max"));
	assert_int_equal(shelf->destroyed, 1);
	/* Replacing needs no room. */
	assert_int_equal(test_shelf_add(shelf, "mail", "v1", STEPBUS_HANDLER_OVERRIDE), STEPBUS_OK);
	test_shelf_remove(shelf, "mail", "v2");
	assert_int_equal(test_shelf_add(shelf, "sms", NULL, 0), STEPBUS_OK);
}

/* Everything that is made of the three names at once must have room for them. */
static void names_at_their_limits_are_registered_and_logged(void **state)
{
	test_shelf *shelf = *state;
	stepbus_handler_spec spec = test_counted_spec("", NULL, &shelf->destroyed);
	stepbus_handler_key key = { .size = sizeof key };
	char text[128];

	memset(text, 'n', sizeof text);
	spec.name = spec.handler_namespace = spec.version = text;
	spec.name_len = spec.handler_namespace_len = 128;
	spec.version_len = 64;
	key.name = key.handler_namespace = key.version = text;
	key.name_len = key.handler_namespace_len = 128;
	key.version_len = 64;
	assert_int_equal(stepbus_registry_register(shelf->registry, &spec, &shelf->err), 0);
	assert_int_equal(stepbus_registry_is_registered(shelf->registry, &key), 1);
	assert_int_equal(stepbus_registry_unregister(shelf->registry, &key, &shelf->err), 0);
	assert_int_equal(shelf->host.log_count, 2);
}

static void ten_thousand_handlers_come_and_go(void **state)
{
	enum { COUNT = 10000 };
	test_shelf *shelf = *state;
	char name[24];

	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "h%d", i);
		assert_int_equal(test_shelf_add(shelf, name, "v1", 0), STEPBUS_OK);
	}
	assert_int_equal(stepbus_registry_count(shelf->registry), COUNT);
	for (int i = 0; i < COUNT; i += 2) {
		snprintf(name, sizeof name, "h%d", i);
		assert_int_equal(test_shelf_remove(shelf, name, NULL), STEPBUS_OK);
	}
	for (int i = 0; i < COUNT; i++) {
		stepbus_handler_key key;

		snprintf(name, sizeof name, "h%d", i);
		key = test_key(name, "v2");
		if ((test_resolved_version(shelf->registry, &key) != NULL) != (i % 2 == 1))
			fail_msg("%s should%s be found", name, i % 2 == 1 ? "" : " not");
	}
	stepbus_registry_clear(shelf->registry, NULL);
	assert_int_equal(shelf->destroyed, COUNT);
}

static void two_registries_never_meet(void **state)
{
	test_shelf *shelf = *state;
	stepbus_registry_options options = { .size = sizeof options, .host = &shelf->host.host };
	const stepbus_handler_key key = test_key("mail", NULL);
	stepbus_registry *other = NULL;

	assert_int_equal(stepbus_registry_new(&options, &other, NULL), STEPBUS_OK);
	test_shelf_add(shelf, "mail", NULL, 0);
	stepbus_registry_seal(shelf->registry, NULL);
	assert_int_equal(stepbus_registry_is_registered(other, &key), 0);
	assert_int_equal(stepbus_registry_is_sealed(other), 0);
	stepbus_registry_free(other);
	assert_int_equal(shelf->destroyed, 0);
}

static void a_registry_without_random_numbers_is_not_made(void **state)
{
	test_shelf *shelf = *state;
	stepbus_registry_options options = { .size = sizeof options, .host = &shelf->host.host };
	stepbus_registry *other = NULL;

	shelf->host.has_random = false;
	assert_int_equal(stepbus_registry_new(&options, &other, &shelf->err), STEPBUS_ESYSTEM);
	assert_true(test_shelf_said(shelf, "random"));
	assert_null(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_shelf_begin, test_shelf_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_registered_handler_is_found_with_its_definition),
		TEST(what_is_registered_is_told_and_counted),
		TEST(the_same_name_and_version_twice_is_refused_with_the_way_out),
		TEST(a_default_version_and_the_same_one_said_are_the_same),
		TEST(override_replaces_and_destroys_the_old_one_once),
		TEST(override_of_nothing_registers),
		TEST(override_may_take_the_mark_of_the_default_away),
		TEST(versions_resolve_as_the_table_says),
		TEST(namespaces_are_separate),
		TEST(the_default_namespace_may_be_said),
		TEST(names_are_compared_byte_by_byte),
		TEST(unregistering_a_version_leaves_the_others),
		TEST(unregistering_without_a_version_takes_all),
		TEST(unregistering_does_not_fall_back),
		TEST(unregistering_twice_is_not_found),
		TEST(an_unregistered_name_can_be_registered_again),
		TEST(clearing_unregisters_all),
		TEST(clearing_an_empty_registry_does_nothing),
		TEST(a_sealed_registry_can_only_be_read),
		TEST(freeing_a_sealed_registry_destroys_what_is_in_it),
		TEST(a_full_registry_refuses_until_there_is_room),
		TEST(names_at_their_limits_are_registered_and_logged),
		TEST(ten_thousand_handlers_come_and_go),
		TEST(two_registries_never_meet),
		TEST(a_registry_without_random_numbers_is_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
