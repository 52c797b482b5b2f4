/* SPDX-License-Identifier: MIT */
/* Bad input for the functions of the registry. */
#include <string.h>

#include "support/bad_input.h"
#include "support/spec.h"

static stepbus_status new_registry(test_bad *b, const void *given, stepbus_error *err)
{
	stepbus_registry *registry = NULL;
	stepbus_status status = stepbus_registry_new(given, &registry, err);

	(void)b;
	assert_int_equal(registry != NULL, status == STEPBUS_OK);
	stepbus_registry_free(registry);
	return status;
}

static stepbus_status new_registry_with_host(test_bad *b, const void *given, stepbus_error *err)
{
	const stepbus_registry_options options = { .size = sizeof options, .host = given };

	return new_registry(b, &options, err);
}

static void registry_new(test_bad *b)
{
	const stepbus_registry_options options = { .size = sizeof options };
	const stepbus_host host = { .size = sizeof host };
	stepbus_registry_options many = options;

	many.handler_count_max = 1048577;
	BAD(STEPBUS_EINVAL, stepbus_registry_new(NULL, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_registry_new(&options, NULL, err));
	BAD(STEPBUS_OK, new_registry(b, NULL, err));
	BAD(STEPBUS_EINVAL, new_registry(b, &many, err));
	test_bad_sizes(b, BAD_STRUCT(options, new_registry));
	test_bad_sizes(b, BAD_STRUCT(host, new_registry_with_host));
	test_bad_flags(b, BAD_STRUCT(options, new_registry),
		       offsetof(stepbus_registry_options, flags), 0);
	test_bad_flags(b, BAD_STRUCT(options, new_registry),
		       offsetof(stepbus_registry_options, reserved), 0);
}

static void registry_free(test_bad *b)
{
	(void)b;
	stepbus_registry_free(NULL);
}

static void registry_default(test_bad *b)
{
	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_registry_default(NULL, err));
}

static void registry_default_reset(test_bad *b)
{
	stepbus_registry *registry = NULL;

	(void)b;
	stepbus_registry_default_reset();
	assert_int_equal(stepbus_registry_default(&registry, NULL), STEPBUS_OK);
	stepbus_registry_default_reset();
	stepbus_registry_default_reset();
}

static void registry_attach(test_bad *b)
{
	BAD(STEPBUS_EINVAL, stepbus_registry_attach(NULL, b->bridge, err));
	BAD(STEPBUS_EINVAL, stepbus_registry_attach(NULL, NULL, err));
	BAD(STEPBUS_OK, stepbus_registry_attach(b->registry, NULL, err));
}

static stepbus_status register_spec(test_bad *b, const void *given, stepbus_error *err)
{
	stepbus_status status = stepbus_registry_register(b->registry, given, err);

	assert_int_equal(stepbus_registry_count(b->registry), status == STEPBUS_OK);
	stepbus_registry_clear(b->registry, NULL);
	return status;
}

static stepbus_handler_spec good_spec(test_bad *b)
{
	stepbus_handler_spec spec = test_spec("mail", "1.0.0");

	spec.user_data = b;
	spec.destroy = test_bad_destroy;
	return spec;
}

/* What is wrong with each field is told in test_definition; here, that nothing of it comes through. */
static void try_spec_texts(test_bad *b)
{
	static const size_t pointers[] = {
		offsetof(stepbus_handler_spec, handler_namespace),
		offsetof(stepbus_handler_spec, version),
		offsetof(stepbus_handler_spec, domain),
		offsetof(stepbus_handler_spec, description),
		offsetof(stepbus_handler_spec, capabilities),
		offsetof(stepbus_handler_spec, config_schema),
		offsetof(stepbus_handler_spec, permitted_queues),
		offsetof(stepbus_handler_spec, permitted_callers),
	};
	static const test_bad_text texts[] = { { NULL, 5 }, { "\xff\xfe", 2 }, { "a\0b", 3 } };

	for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++)
		for (size_t j = 0; j <= sizeof texts / sizeof *texts; j++) {
			const bool is_long = j == sizeof texts / sizeof *texts;
			const test_bad_text text =
				is_long ? (test_bad_text){ test_bad_long(), BAD_LONG_LEN } :
					  texts[j];
			stepbus_handler_spec spec = good_spec(b);

			/* The length stands behind its pointer. */
			memcpy((char *)&spec + pointers[i], &text.data, sizeof text.data);
			memcpy((char *)&spec + pointers[i] + sizeof text.data, &text.len,
			       sizeof text.len);
			BAD_DESTROYED(b, STEPBUS_EINVAL, register_spec(b, &spec, err));
		}
}

static void registry_register(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	const stepbus_handler_spec good = good_spec(b);
	stepbus_handler_spec spec = good;

	for (size_t i = 0; i < BAD_NAME_COUNT; i++) {
		spec.name = names[i].data;
		spec.name_len = names[i].len;
		BAD_DESTROYED(b, STEPBUS_EINVAL, register_spec(b, &spec, err));
	}
	try_spec_texts(b);
	spec = good;
	spec.call = NULL;
	BAD_DESTROYED(b, STEPBUS_EINVAL, register_spec(b, &spec, err));
	BAD_DESTROYED(b, STEPBUS_EINVAL, stepbus_registry_register(NULL, &good, err));
	BAD(STEPBUS_EINVAL, stepbus_registry_register(b->registry, NULL, err));
	test_bad_sizes(b, BAD_STRUCT(good, register_spec));
	test_bad_flags(b, BAD_STRUCT(good, register_spec), offsetof(stepbus_handler_spec, flags),
		       STEPBUS_HANDLER_OVERRIDE | STEPBUS_HANDLER_DEFAULT |
			       STEPBUS_HANDLER_VERSION_FROM_INPUT);
	spec = good;
	spec.flags = STEPBUS_HANDLER_PULLED;
	BAD_DESTROYED(b, STEPBUS_EINVAL, register_spec(b, &spec, err));
}

static stepbus_status register_one_of_domain(test_bad *b, const void *given, stepbus_error *err)
{
	stepbus_status status = stepbus_registry_register_domain(
		b->registry, STEPBUS_TEXT("billing"), given, 1, err);

	assert_int_equal(stepbus_registry_count(b->registry), status == STEPBUS_OK);
	stepbus_registry_clear(b->registry, NULL);
	return status;
}

static void registry_register_domain(test_bad *b)
{
	const test_bad_text *names = test_bad_names();
	const stepbus_handler_spec good = good_spec(b);
	stepbus_handler_spec spec = good;

	for (size_t i = 0; i < BAD_NAME_COUNT; i++)
		BAD_DESTROYED(b, STEPBUS_EINVAL,
			      stepbus_registry_register_domain(b->registry, names[i].data,
							       names[i].len, &good, 1, err));
	BAD_DESTROYED(
		b, STEPBUS_EINVAL,
		stepbus_registry_register_domain(NULL, STEPBUS_TEXT("billing"), &good, 1, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_registry_register_domain(b->registry, STEPBUS_TEXT("billing"), NULL, 1, err));
	BAD(STEPBUS_EINVAL,
	    stepbus_registry_register_domain(b->registry, STEPBUS_TEXT("billing"), &good, 0, err));
	BAD(STEPBUS_EINVAL, stepbus_registry_register_domain(b->registry, STEPBUS_TEXT("billing"),
							     &good, SIZE_MAX, err));
	spec.domain = NULL;
	spec.domain_len = strlen("billing");
	BAD_DESTROYED(b, STEPBUS_EINVAL, register_one_of_domain(b, &spec, err));
	test_bad_sizes(b, BAD_STRUCT(good, register_one_of_domain));
	test_bad_flags(b, BAD_STRUCT(good, register_one_of_domain),
		       offsetof(stepbus_handler_spec, flags),
		       STEPBUS_HANDLER_OVERRIDE | STEPBUS_HANDLER_DEFAULT |
			       STEPBUS_HANDLER_VERSION_FROM_INPUT);
	spec = good;
	spec.flags = STEPBUS_HANDLER_PULLED;
	BAD_DESTROYED(b, STEPBUS_EINVAL, register_spec(b, &spec, err));
}

/* A function that takes a key, with everything else in order. */
typedef stepbus_status (*key_call)(test_bad *b, const void *key, stepbus_error *err);

/* Names that could not be registered are refused where that is seen at once, else not found. */
static void try_key_names(test_bad *b, key_call call)
{
	const test_bad_text *names = test_bad_names();
	stepbus_handler_key exact = test_key("mail", NULL);

	for (size_t i = 0; i < BAD_NAME_COUNT; i++) {
		const bool is_unreadable =
			names[i].data == NULL || names[i].len == 0 || names[i].len > 128;
		stepbus_handler_key key = test_key("mail", NULL);

		key.name = names[i].data;
		key.name_len = names[i].len;
		BAD(is_unreadable ? STEPBUS_EINVAL : STEPBUS_ENOTFOUND, call(b, &key, err));
		if (names[i].len == 0)
			continue;
		key = test_key("mail", NULL);
		key.handler_namespace = names[i].data;
		key.handler_namespace_len = names[i].len;
		BAD(is_unreadable ? STEPBUS_EINVAL : STEPBUS_ENOTFOUND, call(b, &key, err));
		key = test_key("mail", NULL);
		key.flags = STEPBUS_KEY_EXACT;
		key.version = names[i].data;
		key.version_len = names[i].len;
		BAD(is_unreadable ? STEPBUS_EINVAL : STEPBUS_ENOTFOUND, call(b, &key, err));
	}
	/* Exactly none could mean all. */
	exact.flags = STEPBUS_KEY_EXACT;
	BAD(STEPBUS_EINVAL, call(b, &exact, err));
}

static void try_key(test_bad *b, key_call call)
{
	const stepbus_handler_spec spec = good_spec(b);
	const stepbus_handler_key key = test_key("mail", NULL);

	assert_int_equal(stepbus_registry_register(b->registry, &spec, NULL), STEPBUS_OK);
	BAD(STEPBUS_EINVAL, call(b, NULL, err));
	try_key_names(b, call);
	test_bad_sizes(b, BAD_STRUCT(key, call));
	test_bad_flags(b, BAD_STRUCT(key, call), offsetof(stepbus_handler_key, flags),
		       STEPBUS_KEY_EXACT);
}

static stepbus_status unregister(test_bad *b, const void *key, stepbus_error *err)
{
	stepbus_status status = stepbus_registry_unregister(b->registry, key, err);
	const stepbus_handler_spec spec = good_spec(b);

	if (status == STEPBUS_OK)
		assert_int_equal(stepbus_registry_register(b->registry, &spec, NULL), STEPBUS_OK);
	return status;
}

static void registry_unregister(test_bad *b)
{
	const stepbus_handler_key key = test_key("mail", NULL);

	BAD(STEPBUS_EINVAL, stepbus_registry_unregister(NULL, &key, err));
	try_key(b, unregister);
}

static void registry_clear(test_bad *b)
{
	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_registry_clear(NULL, err));
}

static stepbus_status resolve(test_bad *b, const void *key, stepbus_error *err)
{
	stepbus_handler *handler = NULL;
	stepbus_status status = stepbus_registry_resolve(b->registry, key, &handler, err);

	assert_int_equal(handler != NULL, status == STEPBUS_OK);
	stepbus_handler_unref(handler);
	return status;
}

static void registry_resolve(test_bad *b)
{
	const stepbus_handler_key key = test_key("mail", NULL);
	stepbus_handler *handler = NULL;

	BAD(STEPBUS_EINVAL, stepbus_registry_resolve(NULL, &key, &handler, err));
	BAD(STEPBUS_EINVAL, stepbus_registry_resolve(b->registry, &key, NULL, err));
	try_key(b, resolve);
}

static void handler_ref(test_bad *b)
{
	(void)b;
	stepbus_handler_ref(NULL);
}

static void handler_unref(test_bad *b)
{
	(void)b;
	stepbus_handler_unref(NULL);
}

static void handler_definition(test_bad *b)
{
	(void)b;
	assert_null(stepbus_handler_definition(NULL));
}

static void registry_is_registered(test_bad *b)
{
	const stepbus_handler_spec spec = good_spec(b);
	const test_bad_text *names = test_bad_names();
	stepbus_handler_key key = test_key("mail", NULL);

	assert_int_equal(stepbus_registry_register(b->registry, &spec, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_registry_is_registered(NULL, &key), 0);
	assert_int_equal(stepbus_registry_is_registered(b->registry, NULL), 0);
	key.flags = 2;
	assert_int_equal(stepbus_registry_is_registered(b->registry, &key), 0);
	key = test_key("mail", NULL);
	key.size = 4;
	assert_int_equal(stepbus_registry_is_registered(b->registry, &key), 0);
	for (size_t i = 0; i < BAD_NAME_COUNT; i++) {
		key = test_key("mail", NULL);
		key.name = names[i].data;
		key.name_len = names[i].len;
		assert_int_equal(stepbus_registry_is_registered(b->registry, &key), 0);
	}
}

static void registry_count(test_bad *b)
{
	(void)b;
	assert_int_equal(stepbus_registry_count(NULL), 0);
}

static void registry_seal(test_bad *b)
{
	(void)b;
	BAD(STEPBUS_EINVAL, stepbus_registry_seal(NULL, err));
}

static void registry_is_sealed(test_bad *b)
{
	(void)b;
	assert_int_equal(stepbus_registry_is_sealed(NULL), 0);
}

static stepbus_status list(test_bad *b, const void *filter, stepbus_error *err)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_registry_list(b->registry, filter, &text, err);

	assert_int_equal(text != NULL, status == STEPBUS_OK);
	stepbus_text_free(text);
	return status;
}

static void registry_list(test_bad *b)
{
	const stepbus_handler_filter good = { .size = sizeof good };
	stepbus_handler_filter filters[3] = { good, good, good };
	stepbus_handler_filter wide = good;
	stepbus_text *text = NULL;

	filters[0].handler_namespace_len = 1;
	filters[1].domain_len = 1;
	filters[2].capability_len = 1;
	for (size_t i = 0; i < 3; i++)
		BAD(STEPBUS_EINVAL, list(b, &filters[i], err));
	/* Any text may be asked for, and matches nothing. */
	wide.domain = test_bad_long();
	wide.domain_len = BAD_LONG_LEN;
	BAD(STEPBUS_OK, list(b, &wide, err));
	BAD(STEPBUS_OK, list(b, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_registry_list(NULL, NULL, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_registry_list(b->registry, NULL, NULL, err));
	test_bad_sizes(b, BAD_STRUCT(good, list));
	test_bad_flags(b, BAD_STRUCT(good, list), offsetof(stepbus_handler_filter, flags), 0);
}

static stepbus_status info(test_bad *b, const void *key, stepbus_error *err)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_registry_info(b->registry, key, &text, err);

	assert_int_equal(text != NULL, status == STEPBUS_OK);
	stepbus_text_free(text);
	return status;
}

static void registry_info(test_bad *b)
{
	const stepbus_handler_key key = test_key("mail", NULL);
	stepbus_text *text = NULL;

	BAD(STEPBUS_EINVAL, stepbus_registry_info(NULL, &key, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_registry_info(b->registry, &key, NULL, err));
	try_key(b, info);
}

static int32_t visit(void *user_data, const stepbus_handler_spec *definition)
{
	(void)user_data;
	(void)definition;
	return 0;
}

static void registry_each(test_bad *b)
{
	BAD(STEPBUS_EINVAL, stepbus_registry_each(NULL, visit, NULL, err));
	BAD(STEPBUS_EINVAL, stepbus_registry_each(b->registry, NULL, NULL, err));
	BAD(STEPBUS_OK, stepbus_registry_each(b->registry, visit, NULL, err));
}

static void registry_stats(test_bad *b)
{
	stepbus_text *text = NULL;

	BAD(STEPBUS_EINVAL, stepbus_registry_stats(NULL, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_registry_stats(b->registry, NULL, err));
}

static void registry_health(test_bad *b)
{
	stepbus_text *text = NULL;

	BAD(STEPBUS_EINVAL, stepbus_registry_health(NULL, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_registry_health(b->registry, NULL, err));
}

static const test_bad_row rows[] = {
	{ "stepbus_registry_new", registry_new },
	{ "stepbus_registry_free", registry_free },
	{ "stepbus_registry_default", registry_default },
	{ "stepbus_registry_default_reset", registry_default_reset },
	{ "stepbus_registry_attach", registry_attach },
	{ "stepbus_registry_register", registry_register },
	{ "stepbus_registry_register_domain", registry_register_domain },
	{ "stepbus_registry_unregister", registry_unregister },
	{ "stepbus_registry_clear", registry_clear },
	{ "stepbus_registry_resolve", registry_resolve },
	{ "stepbus_handler_ref", handler_ref },
	{ "stepbus_handler_unref", handler_unref },
	{ "stepbus_handler_definition", handler_definition },
	{ "stepbus_registry_is_registered", registry_is_registered },
	{ "stepbus_registry_count", registry_count },
	{ "stepbus_registry_seal", registry_seal },
	{ "stepbus_registry_is_sealed", registry_is_sealed },
	{ "stepbus_registry_list", registry_list },
	{ "stepbus_registry_info", registry_info },
	{ "stepbus_registry_each", registry_each },
	{ "stepbus_registry_stats", registry_stats },
	{ "stepbus_registry_health", registry_health },
};

const test_bad_rows test_bad_registry = { rows, sizeof rows / sizeof *rows };
