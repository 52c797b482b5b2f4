/* SPDX-License-Identifier: MIT */
/* Memory runs out in the registry. */
#include <string.h>

#include "support/cmocka.h"
#include "support/famine.h"
#include "support/spec.h"

static stepbus_handler_spec spec_of(test_famine *f, const char *name, const char *version)
{
	stepbus_handler_spec spec = test_spec(name, version);

	test_famine_give(f);
	spec.user_data = f;
	spec.destroy = test_famine_destroy;
	return spec;
}

static bool has(test_famine *f, const char *name, const char *version)
{
	const stepbus_handler_key key = test_key(name, version);

	return stepbus_registry_is_registered(f->registry, &key) == 1;
}

static stepbus_status add(test_famine *f, const char *name, const char *version, stepbus_error *err)
{
	const stepbus_handler_spec spec = spec_of(f, name, version);

	return stepbus_registry_register(f->registry, &spec, err);
}

/* What a test starts from; not what is tried. */
static bool add_before(test_famine *f, const char *name, const char *version)
{
	size_t fail_at = f->t->fail_at;
	size_t count = f->t->allocation_count;
	bool is_there;

	f->t->fail_at = 0;
	is_there = has(f, name, version) || add(f, name, version, NULL) == STEPBUS_OK;
	/* The same allocation of what is tried as without the preparation. */
	f->t->fail_at = fail_at > 0 ? fail_at + (f->t->allocation_count - count) : 0;
	return is_there;
}

static stepbus_status register_one(test_famine *f, stepbus_error *err)
{
	stepbus_status status = add(f, "mail", "v1", err);

	if (has(f, "mail", "v1") != (status == STEPBUS_OK) ||
	    has(f, "mail", NULL) != (status == STEPBUS_OK))
		return test_famine_breach(err, "half a handler is registered");
	return status;
}

FAMINE_TEST(registering_a_handler, register_one);

static stepbus_status register_many(test_famine *f, stepbus_error *err)
{
	stepbus_status status = STEPBUS_OK;
	size_t count = 0;
	char name[] = "h00";

	for (int i = 0; status == STEPBUS_OK && i < 100; i++) {
		name[1] = (char)('0' + i / 10);
		name[2] = (char)('0' + i % 10);
		if (has(f, name, "v1")) {
			count++;
			continue;
		}
		status = add(f, name, "v1", err);
		count += status == STEPBUS_OK;
	}
	if (stepbus_registry_count(f->registry) != count)
		return test_famine_breach(err, "the count is wrong");
	return status;
}

FAMINE_TEST(registering_until_the_tables_grow, register_many);

static stepbus_status register_versions(test_famine *f, stepbus_error *err)
{
	static const char *const versions[] = { "v2", "v1", "v3" };
	stepbus_status status = STEPBUS_OK;

	for (int i = 0; status == STEPBUS_OK && i < 3; i++)
		if (!has(f, "mail", versions[i]))
			status = add(f, "mail", versions[i], err);
	return status;
}

FAMINE_TEST(registering_versions_of_a_name, register_versions);

/* The old one stays in its place until the new one is there. */
static stepbus_status override(test_famine *f, stepbus_error *err)
{
	stepbus_handler_spec spec = spec_of(f, "mail", "v1");
	int destroyed;
	stepbus_status status;

	spec.flags = STEPBUS_HANDLER_OVERRIDE;
	spec.description = "new";
	spec.description_len = 3;
	if (!add_before(f, "mail", "v1"))
		return test_famine_breach(err, "could not prepare");
	destroyed = f->destroyed;
	status = stepbus_registry_register(f->registry, &spec, err);
	if (!has(f, "mail", "v1") || stepbus_registry_count(f->registry) != 1)
		return test_famine_breach(err, "the old one is gone");
	if (f->destroyed != destroyed + 1)
		return test_famine_breach(err, "not one of the two was destroyed");
	return status;
}

FAMINE_TEST(replacing_a_handler, override);

static stepbus_status register_group(test_famine *f, stepbus_error *err)
{
	const stepbus_handler_spec specs[] = { spec_of(f, "invoice", "v1"),
					       spec_of(f, "refund", "v1"),
					       spec_of(f, "refund", "v2") };
	int destroyed = f->destroyed;
	stepbus_status status = stepbus_registry_register_domain(
		f->registry, STEPBUS_TEXT("billing"), specs, 3, err);

	if (stepbus_registry_count(f->registry) != (status == STEPBUS_OK ? 3 : 0))
		return test_famine_breach(err, "some of the group are registered");
	if (f->destroyed != destroyed + (status == STEPBUS_OK ? 0 : 3))
		return test_famine_breach(err, "some of the group were not destroyed");
	return status;
}

FAMINE_TEST(registering_a_group, register_group);

/* A group that also replaces one: without memory the replaced one is back in its place. */
static stepbus_status register_replacing_group(test_famine *f, stepbus_error *err)
{
	stepbus_handler_spec specs[2];
	stepbus_status status;

	if (!add_before(f, "invoice", "v1"))
		return test_famine_breach(err, "could not prepare");
	specs[0] = spec_of(f, "invoice", "v1");
	specs[0].flags = STEPBUS_HANDLER_OVERRIDE;
	specs[1] = spec_of(f, "refund", "v1");
	status = stepbus_registry_register_domain(f->registry, STEPBUS_TEXT("billing"), specs, 2,
						  err);
	if (!has(f, "invoice", "v1") || has(f, "refund", NULL) != (status == STEPBUS_OK))
		return test_famine_breach(err, "the group is half there");
	return status;
}

FAMINE_TEST(registering_a_group_that_replaces, register_replacing_group);

static stepbus_status unregister_version(test_famine *f, stepbus_error *err)
{
	const stepbus_handler_key key = test_key("mail", "v1");
	stepbus_status status;

	if (!add_before(f, "mail", "v1") || !add_before(f, "mail", "v2"))
		return test_famine_breach(err, "could not prepare");
	status = stepbus_registry_unregister(f->registry, &key, err);
	if (has(f, "mail", "v1") != (status != STEPBUS_OK) || !has(f, "mail", "v2"))
		return test_famine_breach(err, "half unregistered");
	return status;
}

static stepbus_status unregister_all_versions(test_famine *f, stepbus_error *err)
{
	const stepbus_handler_key key = test_key("mail", NULL);
	stepbus_status status;

	if (!add_before(f, "mail", "v1") || !add_before(f, "mail", "v2"))
		return test_famine_breach(err, "could not prepare");
	status = stepbus_registry_unregister(f->registry, &key, err);
	if (stepbus_registry_count(f->registry) != (status == STEPBUS_OK ? 0 : 2))
		return test_famine_breach(err, "half unregistered");
	return status;
}

FAMINE_SURVIVAL(unregistering_a_version, unregister_version);
FAMINE_SURVIVAL(unregistering_all_versions, unregister_all_versions);

/* Clearing may not fail for want of memory: it is what frees some. */
static stepbus_status clear(test_famine *f, stepbus_error *err)
{
	stepbus_status status = register_versions(f, err);

	if (stepbus_registry_clear(f->registry, NULL) != STEPBUS_OK ||
	    stepbus_registry_count(f->registry) != 0)
		return test_famine_breach(err, "could not be cleared");
	if (f->given != f->destroyed)
		return test_famine_breach(err, "not all were destroyed");
	return status;
}

FAMINE_SURVIVAL(clearing_needs_no_memory, clear);

static int32_t is_unwell(void *user_data, stepbus_error *err)
{
	(void)user_data;
	memcpy(err->message, "no", 3);
	return STEPBUS_EBUSY;
}

static int32_t visit(void *user_data, const stepbus_handler_spec *definition)
{
	(void)user_data;
	(void)definition;
	return 0;
}

static stepbus_status introspect(test_famine *f, stepbus_error *err)
{
	const stepbus_handler_key key = test_key("mail", NULL);
	stepbus_handler_spec spec = spec_of(f, "mail", "v1");
	stepbus_text *texts[4] = { NULL };
	stepbus_status status;

	spec.flags = STEPBUS_HANDLER_OVERRIDE;
	spec.health = is_unwell;
	spec.config_schema = "{}";
	spec.config_schema_len = 2;
	spec.permitted_queues = "fast, slow";
	spec.permitted_queues_len = 10;
	status = stepbus_registry_register(f->registry, &spec, err);
	if (status == STEPBUS_OK)
		status = stepbus_registry_list(f->registry, NULL, &texts[0], err);
	if (status == STEPBUS_OK)
		status = stepbus_registry_info(f->registry, &key, &texts[1], err);
	if (status == STEPBUS_OK)
		status = stepbus_registry_stats(f->registry, &texts[2], err);
	if (status == STEPBUS_OK)
		status = stepbus_registry_health(f->registry, &texts[3], err);
	if (status == STEPBUS_OK)
		status = stepbus_registry_each(f->registry, visit, NULL, err);
	for (int i = 0; i < 4; i++) {
		if (i > 0 && texts[i] != NULL && texts[i - 1] == NULL)
			return test_famine_breach(err, "a text of a call that failed");
		stepbus_text_free(texts[i]);
	}
	return status;
}

FAMINE_TEST(introspecting, introspect);

/* Neither finding nor missing takes memory of the host. */
static stepbus_status resolve(test_famine *f, stepbus_error *err)
{
	stepbus_handler_key key = test_key("mail", "v9");
	stepbus_error missing = STEPBUS_ERROR_INIT;
	stepbus_handler *handler = NULL;
	stepbus_status status = add(f, "mail", "v1", err);
	size_t before = f->t->allocation_count;

	if (status != STEPBUS_OK)
		return status;
	if (stepbus_registry_resolve(f->registry, &key, &handler, err) != STEPBUS_OK)
		return test_famine_breach(err, "not found");
	stepbus_handler_unref(handler);
	key = test_key("mial", NULL);
	handler = NULL;
	if (stepbus_registry_resolve(f->registry, &key, &handler, &missing) != STEPBUS_ENOTFOUND ||
	    strstr(missing.message, "did you mean 'mail'") == NULL)
		return test_famine_breach(err, "a missing handler is not told");
	if (f->t->allocation_count != before)
		return test_famine_breach(err, "resolving allocates");
	return STEPBUS_OK;
}

FAMINE_SURVIVAL(resolving_needs_no_memory, resolve);

static _Atomic(int) heard;

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	atomic_fetch_add(&heard, 1);
	return STEPBUS_OK;
}

/* News and log records are left out where memory is short; the change is made all the same. */
static stepbus_status change_and_tell(test_famine *f, stepbus_error *err)
{
	const stepbus_subscription subscription = { .size = sizeof subscription, .deliver = hear };
	uint64_t id = 0;
	stepbus_status status = stepbus_bridge_subscribe(f->bridge, STEPBUS_TEXT("handler.*"),
							 &subscription, &id, err);

	if (status == STEPBUS_OK)
		status = stepbus_registry_attach(f->registry, f->bridge, err);
	if (status == STEPBUS_OK)
		status = register_one(f, err);
	if (status == STEPBUS_OK && stepbus_registry_clear(f->registry, err) != STEPBUS_OK)
		status = test_famine_breach(err, "could not be cleared");
	stepbus_registry_attach(f->registry, NULL, NULL);
	if (id != 0)
		stepbus_bridge_unsubscribe(f->bridge, id, NULL);
	return status;
}

FAMINE_SURVIVAL(changing_goes_on_without_memory_for_the_news, change_and_tell);

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registering_a_handler),
		cmocka_unit_test(registering_until_the_tables_grow),
		cmocka_unit_test(registering_versions_of_a_name),
		cmocka_unit_test(replacing_a_handler),
		cmocka_unit_test(registering_a_group),
		cmocka_unit_test(registering_a_group_that_replaces),
		cmocka_unit_test(unregistering_a_version),
		cmocka_unit_test(unregistering_all_versions),
		cmocka_unit_test(clearing_needs_no_memory),
		cmocka_unit_test(introspecting),
		cmocka_unit_test(resolving_needs_no_memory),
		cmocka_unit_test(changing_goes_on_without_memory_for_the_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
