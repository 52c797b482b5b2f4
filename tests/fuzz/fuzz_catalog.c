/* SPDX-License-Identifier: MIT */
/*
 * Declarations of events, and what the catalog then says of them: names, categories, texts, schemas and
 * examples of any bytes. What is accepted is explained as it was said; a search finds what holds its text
 * and nothing else. Each input declares one event on a bridge that lives for some inputs.
 */
#include <stdlib.h>
#include <strings.h>

#include "bridge/topic.h"
#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "fuzz/reference.h"

enum { LIFE = 100 };

static stepbus_bridge *bridge;
static int age;

static sb_slice text_of(const fuzz_json *json, const char *name)
{
	const fuzz_json *field = fuzz_json_find(json, sb_slice_z(name));

	fuzz_check(field != NULL);
	return field->kind == FUZZ_JSON_TEXT ? sb_slice_of(field->text, field->text_len) :
					       sb_slice_of(NULL, 0);
}

static bool holds(sb_slice text, sb_slice wanted)
{
	for (size_t at = 0; at + wanted.len <= text.len; at++)
		if (wanted.len == 0 || strncasecmp(text.data + at, wanted.data, wanted.len) == 0)
			return true;
	return false;
}

static void check_explained(const stepbus_event_info *info)
{
	stepbus_text *text = NULL;
	fuzz_json *json;

	fuzz_check(stepbus_catalog_explain(bridge, info->name, info->name_len, &text, NULL) ==
		   STEPBUS_OK);
	json = fuzz_json_own(text);
	fuzz_check(!fuzz_json_has_twins(json));
	fuzz_check(
		sb_slice_is_equal(text_of(json, "name"), sb_slice_of(info->name, info->name_len)));
	fuzz_check(sb_slice_is_equal(text_of(json, "description"),
				     sb_slice_of(info->description, info->description_len)));
	fuzz_json_free(json);
	stepbus_text_free(text);
}

static void check_search(sb_slice wanted)
{
	stepbus_text *text = NULL;
	const stepbus_status status =
		stepbus_catalog_search(bridge, wanted.data, wanted.len, &text, NULL);
	fuzz_json *json;

	fuzz_check(status == STEPBUS_OK || status == STEPBUS_EINVAL);
	if (status != STEPBUS_OK)
		return;
	json = fuzz_json_own(text);
	for (const fuzz_json *event = json->first; event != NULL; event = event->next)
		fuzz_check(memchr(wanted.data, '\0', wanted.len) != NULL ||
			   holds(text_of(event, "name"), wanted) ||
			   holds(text_of(event, "description"), wanted));
	fuzz_json_free(json);
	stepbus_text_free(text);
}

static void declare(fuzz_feed *feed)
{
	static const char *const categories[] = { "", "task", "step", "custom", "worker", "nope" };
	stepbus_error err = STEPBUS_ERROR_INIT;
	const sb_slice name = fuzz_feed_text(feed), description = fuzz_feed_text(feed);
	const sb_slice schema = fuzz_feed_text(feed), example = fuzz_feed_text(feed);
	const sb_slice fired_by = fuzz_feed_text(feed);
	const char *category = categories[fuzz_feed_below(feed, 6)];
	const stepbus_event_info info = { .size = sizeof info,
					  .name = name.data,
					  .name_len = name.len,
					  .category = category,
					  .category_len = strlen(category),
					  .description = description.data,
					  .description_len = description.len,
					  .schema = schema.data,
					  .schema_len = schema.len,
					  .example = example.data,
					  .example_len = example.len,
					  .fired_by = fired_by.data,
					  .fired_by_len = fired_by.len };
	const bool is_known =
		stepbus_bridge_event(bridge, name.data, name.len, &(uint32_t){ 0 }, NULL) == 0;
	const stepbus_status status = stepbus_bridge_declare(bridge, &info, NULL, &err);

	if (status == STEPBUS_OK) {
		fuzz_check(!is_known && sb_topic_check_name(name, NULL) == STEPBUS_OK);
		fuzz_check(fuzz_utf8_is_valid(description));
		check_explained(&info);
		return;
	}
	fuzz_check(status == STEPBUS_EINVAL || (status == STEPBUS_EEXISTS && is_known));
	fuzz_check(fuzz_utf8_is_valid(sb_slice_z(err.message)));
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	const stepbus_bridge_options options = { .size = sizeof options, .host = fuzz_host() };
	stepbus_text *text = NULL;
	fuzz_feed feed;
	sb_slice wanted;

	if (++age % LIFE == 0 && bridge != NULL) {
		stepbus_bridge_free(bridge);
		bridge = NULL;
		fuzz_host_check_empty();
	}
	if (bridge == NULL)
		fuzz_check(stepbus_bridge_new(&options, &bridge, NULL) == STEPBUS_OK);
	fuzz_feed_begin(&feed, bytes, len);
	declare(&feed);
	wanted = fuzz_feed_text(&feed);
	/* What all events hold makes a long document: now and then is enough. */
	if (wanted.len > 3 || age % LIFE == 1)
		check_search(wanted);
	if (age % LIFE == LIFE / 2) {
		fuzz_check(stepbus_catalog_list(bridge, NULL, 0, &text, NULL) == STEPBUS_OK);
		fuzz_json_free(fuzz_json_own(text));
		stepbus_text_free(text);
	}
	fuzz_feed_end(&feed);
}
