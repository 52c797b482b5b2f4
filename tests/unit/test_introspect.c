/* SPDX-License-Identifier: MIT */
/* What a registry tells of itself, as JSON and by iteration. */
#include <stdio.h>
#include <string.h>

#include "base/syntax.h"
#include "support/cmocka.h"
#include "support/shelf.h"

static stepbus_handler_spec spec_in(const char *handler_namespace, const char *name,
				    const char *version, const char *domain,
				    const char *capabilities)
{
	stepbus_handler_spec spec = test_spec(name, version);

	spec.handler_namespace = handler_namespace;
	spec.handler_namespace_len = strlen(handler_namespace);
	spec.domain = domain;
	spec.domain_len = domain != NULL ? strlen(domain) : 0;
	spec.capabilities = capabilities;
	spec.capabilities_len = capabilities != NULL ? strlen(capabilities) : 0;
	return spec;
}

static void add(test_shelf *shelf, const stepbus_handler_spec *spec)
{
	assert_int_equal(stepbus_registry_register(shelf->registry, spec, &shelf->err), STEPBUS_OK);
}

/* Out of order on purpose. */
static void add_some(test_shelf *shelf)
{
	const stepbus_handler_spec specs[] = {
		spec_in("users", "export", "1.10.0", "gdpr", "process,http"),
		spec_in("billing", "refund", "v2", "money", NULL),
		spec_in("users", "export", "1.9.0", "gdpr", NULL),
		spec_in("billing", "invoice", NULL, "money", "process, pdf"),
		spec_in("users", "delete", NULL, NULL, "http"),
	};

	for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
		add(shelf, &specs[i]);
}

/* Each handler of a listing as "namespace/name/version " in the order of the listing. */
static void list(test_shelf *shelf, const stepbus_handler_filter *filter, char *out, size_t room)
{
	stepbus_text *text = NULL;
	const char *at;
	size_t len = 0;

	assert_int_equal(stepbus_registry_list(shelf->registry, filter, &text, &shelf->err), 0);
	assert_true(sb_syntax_is_json(stepbus_text_data(text), stepbus_text_len(text), NULL));
	out[0] = '\0';
	at = stepbus_text_data(text);
	while ((at = strstr(at, "{\"name\":\"")) != NULL) {
		char name[64] = "", space[64] = "", version[64] = "";

		assert_int_equal(sscanf(at,
					"{\"name\":\"%63[^\"]\",\"namespace\":\"%63[^\"]\","
					"\"version\":\"%63[^\"]\"",
					name, space, version),
				 3);
		len += (size_t)snprintf(out + len, room - len, "%s/%s/%s ", space, name, version);
		at++;
	}
	stepbus_text_free(text);
}

typedef struct filter_row {
	const char *handler_namespace;
	const char *domain;
	const char *capability;
	const char *listed;
} filter_row;

static void a_listing_is_sorted_and_shows_what_matches_every_filter(void **state)
{
	static const filter_row rows[] = {
		{ NULL, NULL, NULL,
		  "billing/invoice/0.1.0 billing/refund/v2 users/delete/0.1.0 users/export/1.9.0 "
		  "users/export/1.10.0 " },
		{ "", "", "",
		  "billing/invoice/0.1.0 billing/refund/v2 users/delete/0.1.0 users/export/1.9.0 "
		  "users/export/1.10.0 " },
		{ "billing", NULL, NULL, "billing/invoice/0.1.0 billing/refund/v2 " },
		{ NULL, "gdpr", NULL, "users/export/1.9.0 users/export/1.10.0 " },
		{ NULL, NULL, "http", "users/delete/0.1.0 users/export/1.10.0 " },
		{ NULL, NULL, "process",
		  "billing/invoice/0.1.0 billing/refund/v2 users/export/1.9.0 "
		  "users/export/1.10.0 " },
		{ NULL, NULL, "pdf", "billing/invoice/0.1.0 " },
		{ "users", "gdpr", "http", "users/export/1.10.0 " },
		{ "users", "money", NULL, "" },
		{ "bill", NULL, NULL, "" },
		{ NULL, NULL, "proc", "" },
		{ "\xff", NULL, NULL, "" },
	};
	test_shelf *shelf = *state;

	add_some(shelf);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const filter_row *row = &rows[i];
		const stepbus_handler_filter filter = {
			.size = sizeof filter,
			.handler_namespace = row->handler_namespace,
			.handler_namespace_len =
				row->handler_namespace != NULL ? strlen(row->handler_namespace) : 0,
			.domain = row->domain,
			.domain_len = row->domain != NULL ? strlen(row->domain) : 0,
			.capability = row->capability,
			.capability_len = row->capability != NULL ? strlen(row->capability) : 0,
		};
		char listed[256];

		list(shelf, &filter, listed, sizeof listed);
		if (strcmp(listed, row->listed) != 0)
			fail_msg("row %zu lists %s", i, listed);
	}
}

static void without_a_filter_everything_is_listed(void **state)
{
	test_shelf *shelf = *state;
	char listed[256];

	add_some(shelf);
	list(shelf, NULL, listed, sizeof listed);
	assert_int_equal(strlen(listed), strlen("billing/invoice/0.1.0 billing/refund/v2 "
						"users/delete/0.1.0 users/export/1.9.0 "
						"users/export/1.10.0 "));
}

static void an_empty_registry_lists_an_empty_array(void **state)
{
	test_shelf *shelf = *state;
	stepbus_text *text = NULL;

	assert_int_equal(stepbus_registry_list(shelf->registry, NULL, &text, NULL), STEPBUS_OK);
	assert_string_equal(stepbus_text_data(text), "[]");
	stepbus_text_free(text);
}

static void expect_info(test_shelf *shelf, const stepbus_handler_key *key, const char *expected)
{
	stepbus_text *text = NULL;

	assert_int_equal(stepbus_registry_info(shelf->registry, key, &text, &shelf->err), 0);
	assert_string_equal(stepbus_text_data(text), expected);
	assert_int_equal(stepbus_text_len(text), strlen(expected));
	stepbus_text_free(text);
}

static void the_info_of_a_plain_handler_shows_the_defaults(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_handler_key key = test_key("mail", NULL);

	test_shelf_add(shelf, "mail", NULL, 0);
	expect_info(
		shelf, &key,
		"{\"name\":\"mail\",\"namespace\":\"default\",\"version\":\"0.1.0\",\"domain\":"
		"null,"
		"\"description\":null,\"capabilities\":[\"process\"],\"config_schema\":null,"
		"\"kind\":\"function\",\"instance_scope\":\"step\",\"is_default\":false,"
		"\"has_health\":false,\"permissions\":{\"queues\":[],\"callers\":[]},\"timeouts\":{"
		"\"wait_ms\":0,\"attempt_ms\":0,\"total_ms\":0},\"retry\":{\"kind\":\"default\","
		"\"attempt_count_max\":0,\"base_ms\":0,\"cap_ms\":0,\"jitter_percent\":0},"
		"\"limits\":{\"concurrency_max\":0,\"rate_per_minute\":0},\"registered_at\":"
		"\"2026-11-21T10:30:45.123456Z\",\"stats\":{\"runs\":0,\"failures\":0,\"total_us\":"
		"0,"
		"\"mean_us\":0,\"longest_us\":0}}");
}

static int32_t create(void *user_data, void **instance, stepbus_error *err)
{
	(void)err;
	*instance = user_data;
	return 0;
}

static int32_t is_well(void *user_data, stepbus_error *err)
{
	(void)user_data;
	(void)err;
	return 0;
}

static stepbus_handler_spec full_spec(void)
{
	stepbus_handler_spec spec =
		spec_in("billing", "refund", "v2", "money", "process, http, api");

	spec.flags = STEPBUS_HANDLER_DEFAULT;
	spec.description = "pays \"back\",\n\xc3\xa4gain";
	spec.description_len = strlen(spec.description);
	spec.config_schema = "{ \"type\": \"object\" }";
	spec.config_schema_len = strlen(spec.config_schema);
	spec.permitted_queues = "fast, slow";
	spec.permitted_queues_len = strlen(spec.permitted_queues);
	spec.permitted_callers = "web";
	spec.permitted_callers_len = strlen(spec.permitted_callers);
	spec.wait_timeout_ms = 1;
	spec.attempt_timeout_ms = 2;
	spec.total_timeout_ms = 3;
	spec.retry_base_ms = 4;
	spec.retry_cap_ms = 5;
	spec.retry_kind = STEPBUS_RETRY_FIBONACCI;
	spec.attempt_count_max = 6;
	spec.jitter_percent = 7;
	spec.concurrency_max = 8;
	spec.rate_per_minute = UINT32_MAX;
	spec.instance_scope = STEPBUS_SCOPE_WORKER;
	spec.create = create;
	spec.health = is_well;
	return spec;
}

static void the_info_of_a_full_handler_shows_every_field(void **state)
{
	test_shelf *shelf = *state;
	const stepbus_handler_spec spec = full_spec();
	stepbus_handler_key key = test_key("refund", "v2");

	add(shelf, &spec);
	key.handler_namespace = "billing";
	key.handler_namespace_len = 7;
	expect_info(
		shelf, &key,
		"{\"name\":\"refund\",\"namespace\":\"billing\",\"version\":\"v2\",\"domain\":"
		"\"money\",\"description\":\"pays \\\"back\\\",\\n\xc3\xa4gain\",\"capabilities\":["
		"\"process\",\"http\",\"api\"],\"config_schema\":{ \"type\": \"object\" },"
		"\"kind\":\"factory\",\"instance_scope\":\"worker\",\"is_default\":true,"
		"\"has_health\":true,\"permissions\":{\"queues\":[\"fast\",\"slow\"],\"callers\":["
		"\"web\"]},\"timeouts\":{\"wait_ms\":1,\"attempt_ms\":2,\"total_ms\":3},\"retry\":{"
		"\"kind\":\"fibonacci\",\"attempt_count_max\":6,\"base_ms\":4,\"cap_ms\":5,"
		"\"jitter_percent\":7},\"limits\":{\"concurrency_max\":8,\"rate_per_minute\":"
		"4294967295},\"registered_at\":\"2026-11-21T10:30:45.123456Z\",\"stats\":{\"runs\":"
		"0,"
		"\"failures\":0,\"total_us\":0,\"mean_us\":0,\"longest_us\":0}}");
}

static void every_retry_kind_has_a_name(void **state)
{
	static const char *const names[] = { "default", "none",        "fixed",
					     "linear",  "exponential", "fibonacci" };
	test_shelf *shelf = *state;
	const stepbus_handler_key key = test_key("mail", NULL);

	for (uint32_t kind = 0; kind < sizeof names / sizeof *names; kind++) {
		stepbus_handler_spec spec = test_spec("mail", NULL);
		stepbus_text *text = NULL;
		char part[64];

		spec.retry_kind = kind;
		spec.flags = STEPBUS_HANDLER_OVERRIDE;
		add(shelf, &spec);
		assert_int_equal(stepbus_registry_info(shelf->registry, &key, &text, NULL), 0);
		snprintf(part, sizeof part, "\"retry\":{\"kind\":\"%s\"", names[kind]);
		assert_non_null(strstr(stepbus_text_data(text), part));
		stepbus_text_free(text);
	}
}

static void info_follows_the_way_of_resolving(void **state)
{
	test_shelf *shelf = *state;
	stepbus_handler_key key = test_key("mail", "v9");
	stepbus_text *text = NULL;

	test_shelf_add(shelf, "mail", "v2", 0);
	assert_int_equal(stepbus_registry_info(shelf->registry, &key, &text, NULL), STEPBUS_OK);
	assert_non_null(strstr(stepbus_text_data(text), "\"version\":\"v2\""));
	stepbus_text_free(text);
	text = NULL;
	key.flags = STEPBUS_KEY_EXACT;
	assert_int_equal(stepbus_registry_info(shelf->registry, &key, &text, &shelf->err),
			 STEPBUS_ENOTFOUND);
	assert_true(test_shelf_said(shelf, "'v2'"));
	assert_null(text);
}

/* A visitor that keeps names, changes the registry, and may end the walk. */
typedef struct walk {
	test_shelf *shelf;
	char seen[256];
	int32_t answer_at_invoice;
	bool is_changing;
} walk;

static int32_t visit(void *user_data, const stepbus_handler_spec *definition)
{
	walk *w = user_data;
	size_t len = strlen(w->seen);

	snprintf(w->seen + len, sizeof w->seen - len, "%s/%s ", definition->name,
		 definition->version);
	if (w->is_changing) {
		test_shelf_add(w->shelf, "added-by-visit", definition->version, 0);
		stepbus_registry_clear(w->shelf->registry, NULL);
	}
	return strcmp(definition->name, "invoice") == 0 ? w->answer_at_invoice : 0;
}

static void each_visits_all_in_the_order_of_the_listing(void **state)
{
	test_shelf *shelf = *state;
	walk w = { .shelf = shelf };

	add_some(shelf);
	assert_int_equal(stepbus_registry_each(shelf->registry, visit, &w, NULL), STEPBUS_OK);
	assert_string_equal(w.seen, "invoice/0.1.0 refund/v2 delete/0.1.0 export/1.9.0 "
				    "export/1.10.0 ");
}

static void a_visitor_ends_the_walk_with_its_own_answer(void **state)
{
	static const int32_t answers[] = { STEPBUS_EBUSY, 4711, -1 };
	test_shelf *shelf = *state;

	add_some(shelf);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		walk w = { .shelf = shelf, .answer_at_invoice = answers[i] };

		assert_int_equal(stepbus_registry_each(shelf->registry, visit, &w, &shelf->err),
				 answers[i]);
		assert_string_equal(w.seen, "invoice/0.1.0 ");
		assert_int_equal(shelf->err.code, answers[i]);
		assert_string_not_equal(shelf->err.message, "");
	}
}

static void a_visitor_may_change_the_registry(void **state)
{
	test_shelf *shelf = *state;
	walk w = { .shelf = shelf, .is_changing = true };

	add_some(shelf);
	assert_int_equal(stepbus_registry_each(shelf->registry, visit, &w, NULL), STEPBUS_OK);
	assert_string_equal(w.seen, "invoice/0.1.0 refund/v2 delete/0.1.0 export/1.9.0 "
				    "export/1.10.0 ");
	assert_int_equal(stepbus_registry_count(shelf->registry), 0);
	assert_int_equal(shelf->destroyed, 5);
}

static void expect_stats(test_shelf *shelf, const char *expected)
{
	stepbus_text *text = NULL;

	assert_int_equal(stepbus_registry_stats(shelf->registry, &text, &shelf->err), STEPBUS_OK);
	assert_string_equal(stepbus_text_data(text), expected);
	stepbus_text_free(text);
}

static void the_stats_of_an_empty_registry(void **state)
{
	expect_stats(*state,
		     "{\"total_handlers\":0,\"namespaces\":[],\"versions\":[],\"domains\":[],"
		     "\"sealed\":false,\"thread_safe\":true,\"created_at\":"
		     "\"2026-11-21T10:30:45.123456Z\",\"last_registration\":null,\"runs\":0,"
		     "\"failures\":0}");
}

static void the_stats_name_each_namespace_version_and_domain_once(void **state)
{
	test_shelf *shelf = *state;

	add_some(shelf);
	shelf->host.now_us += 1000000;
	test_shelf_add(shelf, "mail", "v2", 0);
	shelf->host.now_us += 1000000;
	test_shelf_remove(shelf, "mail", NULL);
	stepbus_registry_seal(shelf->registry, NULL);
	expect_stats(shelf,
		     "{\"total_handlers\":5,\"namespaces\":[\"billing\",\"users\"],\"versions\":["
		     "\"0.1.0\",\"1.9.0\",\"1.10.0\",\"v2\"],\"domains\":[\"gdpr\",\"money\"],"
		     "\"sealed\":true,\"thread_safe\":true,\"created_at\":"
		     "\"2026-11-21T10:30:45.123456Z\",\"last_registration\":"
		     "\"2026-11-21T10:30:46.123456Z\",\"runs\":0,\"failures\":0}");
}

/* Writes what user_data points at into the error, without a terminator where it is too long. */
static int32_t complain(void *user_data, stepbus_error *err)
{
	const char *message = user_data;
	size_t len = strlen(message);

	if (len > sizeof err->message)
		len = sizeof err->message;
	memcpy(err->message, message, len);
	return STEPBUS_EBUSY;
}

static void add_health(test_shelf *shelf, const char *name,
		       int32_t (*health)(void *user_data, stepbus_error *err), void *user_data)
{
	stepbus_handler_spec spec = test_spec(name, NULL);

	spec.health = health;
	spec.user_data = user_data;
	add(shelf, &spec);
}

static void expect_health(test_shelf *shelf, const char *expected)
{
	stepbus_text *text = NULL;

	assert_int_equal(stepbus_registry_health(shelf->registry, &text, &shelf->err), STEPBUS_OK);
	assert_true(sb_syntax_is_json(stepbus_text_data(text), stepbus_text_len(text), NULL));
	assert_string_equal(stepbus_text_data(text), expected);
	stepbus_text_free(text);
}

#define HEALTH_OF(name) "{\"name\":\"" name "\",\"namespace\":\"default\",\"version\":\"0.1.0\","

static void a_registry_without_health_functions_is_healthy(void **state)
{
	test_shelf_add(*state, "mail", NULL, 0);
	expect_health(*state, "{\"status\":\"healthy\",\"registry_size\":1,\"handlers\":[]}");
}

static void all_well_is_healthy(void **state)
{
	add_health(*state, "mail", is_well, NULL);
	test_shelf_add(*state, "sms", NULL, 0);
	expect_health(*state,
		      "{\"status\":\"healthy\",\"registry_size\":2,\"handlers\":[" HEALTH_OF(
			      "mail") "\"status\":\"healthy\",\"message\":null}]}");
}

static void one_that_is_unwell_makes_all_unhealthy(void **state)
{
	char message[] = "the disk is full";

	add_health(*state, "mail", is_well, NULL);
	add_health(*state, "disk", complain, message);
	expect_health(*state,
		      "{\"status\":\"unhealthy\",\"registry_size\":2,\"handlers\":[" HEALTH_OF(
			      "disk") "\"status\":\"unhealthy\",\"message\":\"the disk is "
				      "full\"}," HEALTH_OF("mail") "\"status\":\"healthy\","
								   "\"message\":null}]}");
}

static void a_message_that_is_not_utf8_does_not_break_the_report(void **state)
{
	test_shelf *shelf = *state;
	char message[] = "bad \xff\xc3 bytes";
	stepbus_text *text = NULL;

	add_health(shelf, "disk", complain, message);
	assert_int_equal(stepbus_registry_health(shelf->registry, &text, NULL), STEPBUS_OK);
	assert_true(sb_syntax_is_json(stepbus_text_data(text), stepbus_text_len(text), NULL));
	assert_non_null(strstr(stepbus_text_data(text), "\"status\":\"unhealthy\""));
	stepbus_text_free(text);
}

static void a_message_that_fills_the_error_to_its_end_is_cut(void **state)
{
	test_shelf *shelf = *state;
	char message[2000];
	stepbus_text *text = NULL;

	memset(message, 'm', sizeof message);
	message[sizeof message - 1] = '\0';
	add_health(shelf, "disk", complain, message);
	assert_int_equal(stepbus_registry_health(shelf->registry, &text, NULL), STEPBUS_OK);
	assert_true(sb_syntax_is_json(stepbus_text_data(text), stepbus_text_len(text), NULL));
	assert_non_null(strstr(stepbus_text_data(text), "mmmm\"}"));
	stepbus_text_free(text);
}

static int32_t unregister_itself(void *user_data, stepbus_error *err)
{
	test_shelf *shelf = user_data;

	(void)err;
	return test_shelf_remove(shelf, "leaving", NULL);
}

static void a_health_function_may_unregister_its_handler(void **state)
{
	test_shelf *shelf = *state;

	add_health(shelf, "leaving", unregister_itself, shelf);
	expect_health(shelf, "{\"status\":\"healthy\",\"registry_size\":1,\"handlers\":[" HEALTH_OF(
				     "leaving") "\"status\":\"healthy\",\"message\":null}]}");
	assert_int_equal(stepbus_registry_count(shelf->registry), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_shelf_begin, test_shelf_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_listing_is_sorted_and_shows_what_matches_every_filter),
		TEST(without_a_filter_everything_is_listed),
		TEST(an_empty_registry_lists_an_empty_array),
		TEST(the_info_of_a_plain_handler_shows_the_defaults),
		TEST(the_info_of_a_full_handler_shows_every_field),
		TEST(every_retry_kind_has_a_name),
		TEST(info_follows_the_way_of_resolving),
		TEST(each_visits_all_in_the_order_of_the_listing),
		TEST(a_visitor_ends_the_walk_with_its_own_answer),
		TEST(a_visitor_may_change_the_registry),
		TEST(the_stats_of_an_empty_registry),
		TEST(the_stats_name_each_namespace_version_and_domain_once),
		TEST(a_registry_without_health_functions_is_healthy),
		TEST(all_well_is_healthy),
		TEST(one_that_is_unwell_makes_all_unhealthy),
		TEST(a_message_that_is_not_utf8_does_not_break_the_report),
		TEST(a_message_that_fills_the_error_to_its_end_is_cut),
		TEST(a_health_function_may_unregister_its_handler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
