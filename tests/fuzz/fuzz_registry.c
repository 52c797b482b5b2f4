/* SPDX-License-Identifier: MIT */
/*
 * A registry under operations decoded from the bytes, with names and versions of any kind, beside a list
 * of what must be registered. Resolving without a version, and with one that is missing, is checked by
 * the order of versions, which must be an order.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "fuzz/reference.h"
#include "registry/definition.h"
#include "registry/version.h"

enum { KNOWN_MAX = 24, OPERATION_MAX = 60, TEXT_LEN = 160 };

typedef struct known {
	char handler_namespace[TEXT_LEN];
	char name[TEXT_LEN];
	char version[TEXT_LEN];
	bool is_default;
} known;

static known list[KNOWN_MAX];
static size_t count;
static stepbus_registry *registry;

static int32_t call(void *instance, const stepbus_context *context, stepbus_result *result)
{
	(void)instance;
	(void)context;
	(void)result;
	return 0;
}

static sb_slice some_name(fuzz_feed *feed)
{
	static const char *const names[] = { "send", "sent", "bill", "a/b", "x" };
	const uint8_t byte = fuzz_feed_byte(feed);

	return byte < 200 ? sb_slice_z(names[byte % 5]) : fuzz_feed_text(feed);
}

static sb_slice some_version(fuzz_feed *feed)
{
	static const char *const versions[] = { "", "1", "v1", "1.0", "2.1.0", "2.1.0-rc1", "10" };
	const uint8_t byte = fuzz_feed_byte(feed);

	return byte < 200 ? sb_slice_z(versions[byte % 7]) : fuzz_feed_text(feed);
}

static sb_slice some_namespace(fuzz_feed *feed)
{
	static const char *const namespaces[] = { "", "default", "shop" };

	return sb_slice_z(namespaces[fuzz_feed_below(feed, 3)]);
}

static bool is_same(const char *text, sb_slice slice, const char *or_else)
{
	return sb_slice_is_equal(sb_slice_z(text), slice.len > 0 ? slice : sb_slice_z(or_else));
}

/* Of an exact name; without a version, of any. -1: it is not there. */
static int find(const stepbus_handler_key *key)
{
	const sb_slice version = sb_slice_of(key->version, key->version_len);

	for (size_t i = 0; i < count; i++)
		if (is_same(list[i].handler_namespace,
			    sb_slice_of(key->handler_namespace, key->handler_namespace_len),
			    "default") &&
		    is_same(list[i].name, sb_slice_of(key->name, key->name_len), "") &&
		    (version.len == 0 || sb_slice_is_equal(sb_slice_z(list[i].version), version)))
			return (int)i;
	return -1;
}

static void keep(char out[TEXT_LEN], sb_slice text, const char *or_else)
{
	text = text.len > 0 ? text : sb_slice_z(or_else);
	fuzz_check(text.len < TEXT_LEN && memchr(text.data, '\0', text.len) == NULL);
	memcpy(out, text.data, text.len);
	out[text.len] = '\0';
}

static void register_one(fuzz_feed *feed)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	const sb_slice name = some_name(feed), version = some_version(feed);
	const sb_slice space = some_namespace(feed), text = fuzz_feed_text(feed);
	const uint8_t flags = fuzz_feed_byte(feed);
	stepbus_handler_spec spec = { .size = sizeof spec,
				      .flags = flags & 3,
				      .name = name.data,
				      .name_len = name.len,
				      .version = version.data,
				      .version_len = version.len,
				      .handler_namespace = space.data,
				      .handler_namespace_len = space.len,
				      .call = call };
	stepbus_handler_key key = { .size = sizeof key,
				    .name = name.data,
				    .name_len = name.len,
				    .handler_namespace = space.data,
				    .handler_namespace_len = space.len };
	const sb_slice full = version.len > 0 ? version : sb_slice_z(SB_VERSION_DEFAULT);
	stepbus_status status;
	int at;

	key.version = full.data;
	key.version_len = full.len;
	at = find(&key);
	if ((flags & 4) != 0) {
		spec.capabilities = spec.description = spec.config_schema = text.data;
		spec.capabilities_len = spec.description_len = spec.config_schema_len = text.len;
	}
	if (count == KNOWN_MAX)
		return;
	status = stepbus_registry_register(registry, &spec, &err);
	fuzz_check(status == STEPBUS_OK || status == STEPBUS_EINVAL || status == STEPBUS_EEXISTS);
	fuzz_check(status == STEPBUS_OK || fuzz_utf8_is_valid(sb_slice_z(err.message)));
	if (status == STEPBUS_EEXISTS)
		fuzz_check((flags & STEPBUS_HANDLER_OVERRIDE) == 0);
	if (status != STEPBUS_OK)
		return;
	fuzz_check(at < 0 || (flags & STEPBUS_HANDLER_OVERRIDE) != 0);
	if (at < 0)
		at = (int)count++;
	keep(list[at].name, name, "");
	keep(list[at].version, full, "");
	keep(list[at].handler_namespace, space, "default");
	list[at].is_default = (flags & STEPBUS_HANDLER_DEFAULT) != 0;
}

static stepbus_handler_key some_key(fuzz_feed *feed)
{
	const sb_slice name = some_name(feed), version = some_version(feed);
	const sb_slice space = some_namespace(feed);

	return (stepbus_handler_key){ .size = sizeof(stepbus_handler_key),
				      .flags = fuzz_feed_byte(feed) > 200 ? STEPBUS_KEY_EXACT : 0,
				      .name = name.data,
				      .name_len = name.len,
				      .handler_namespace = space.data,
				      .handler_namespace_len = space.len,
				      .version = version.data,
				      .version_len = version.len };
}

static void unregister(fuzz_feed *feed)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_handler_key key = some_key(feed);
	stepbus_status status;
	int at;

	key.flags = 0;
	status = stepbus_registry_unregister(registry, &key, &err);
	if (status == STEPBUS_EINVAL)
		return;
	fuzz_check(status == (find(&key) >= 0 ? STEPBUS_OK : STEPBUS_ENOTFOUND));
	while ((at = find(&key)) >= 0)
		list[at] = list[--count];
}

/* What a key must resolve to, by the sentence of the header; -1: nothing. */
static int expected(const stepbus_handler_key *key)
{
	const sb_slice version = sb_slice_of(key->version, key->version_len);
	int best = -1, fallback = -1;

	if (key->flags != 0 || (version.len > 0 && find(key) >= 0))
		return version.len > 0 ? find(key) : -1;
	for (size_t i = 0; i < count; i++) {
		const sb_slice own = sb_slice_z(list[i].version);
		const known one = list[i];

		if (!is_same(one.handler_namespace,
			     sb_slice_of(key->handler_namespace, key->handler_namespace_len),
			     "default") ||
		    !is_same(one.name, sb_slice_of(key->name, key->name_len), ""))
			continue;
		/* Of several that are marked, the highest. */
		if (one.is_default &&
		    (fallback < 0 ||
		     sb_version_compare(own, sb_slice_z(list[fallback].version)) > 0))
			fallback = (int)i;
		/* One that is only written differently ("v1", "1.0") will do. */
		if (version.len > 0 && sb_version_order(own, version) > 0)
			continue;
		if (best < 0 || sb_version_compare(own, sb_slice_z(list[best].version)) > 0)
			best = (int)i;
	}
	if (version.len == 0)
		return fallback >= 0 ? fallback : best;
	return best >= 0 ? best : fallback;
}

static void resolve(fuzz_feed *feed)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	const stepbus_handler_key key = some_key(feed);
	const int at = expected(&key);
	stepbus_handler *handler = NULL;
	const stepbus_handler_spec *spec;
	const stepbus_status status = stepbus_registry_resolve(registry, &key, &handler, &err);

	if (status != STEPBUS_OK) {
		fuzz_check(handler == NULL && fuzz_utf8_is_valid(sb_slice_z(err.message)));
		if (status != STEPBUS_EINVAL && at >= 0)
			fuzz_fail(__FILE__, __LINE__, "not resolved, but to be '%s': %s",
				  list[at].version, err.message);
		return;
	}
	spec = stepbus_handler_definition(handler);
	if (at < 0 || !is_same(list[at].version, sb_slice_of(spec->version, spec->version_len), ""))
		fuzz_fail(__FILE__, __LINE__, "'%.*s' resolves to '%s', not to '%s'",
			  (int)key.version_len, key.version, spec->version,
			  at < 0 ? "nothing" : list[at].version);
	stepbus_handler_unref(handler);
}

static void look(fuzz_feed *feed)
{
	const stepbus_handler_key key = some_key(feed);
	stepbus_text *text = NULL;
	fuzz_json *json;

	fuzz_check(stepbus_registry_count(registry) == count);
	fuzz_check(stepbus_registry_is_registered(registry, &key) == (find(&key) >= 0));
	fuzz_check(stepbus_registry_list(registry, NULL, &text, NULL) == STEPBUS_OK);
	json = fuzz_json_own(text);
	fuzz_check(json->kind == FUZZ_JSON_ARRAY && (json->first != NULL) == (count > 0));
	fuzz_json_free(json);
	stepbus_text_free(text);
	if (stepbus_registry_info(registry, &key, &text, NULL) != STEPBUS_OK)
		return;
	fuzz_json_free(fuzz_json_own(text));
	stepbus_text_free(text);
}

static void order(fuzz_feed *feed)
{
	const sb_slice a = some_version(feed), b = some_version(feed), c = some_version(feed);
	const int ab = sb_version_compare(a, b), bc = sb_version_compare(b, c);

	fuzz_check(sb_version_compare(a, a) == 0);
	fuzz_check((ab > 0) == (sb_version_compare(b, a) < 0));
	fuzz_check((ab == 0) == sb_slice_is_equal(a, b));
	if (ab > 0 && bc > 0)
		fuzz_check(sb_version_compare(a, c) > 0);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	static void (*const acts[])(fuzz_feed * feed) = { register_one, register_one, register_one,
							  unregister,   resolve,      resolve,
							  look,         order };
	const stepbus_registry_options options = { .size = sizeof options, .host = fuzz_host() };
	fuzz_feed feed;

	count = 0;
	fuzz_check(stepbus_registry_new(&options, &registry, NULL) == STEPBUS_OK);
	fuzz_feed_begin(&feed, bytes, len);
	for (int i = 0; i < OPERATION_MAX && feed.left > 0; i++)
		acts[fuzz_feed_below(&feed, 8)](&feed);
	stepbus_registry_free(registry);
	fuzz_feed_end(&feed);
	fuzz_host_check_empty();
}
