/* SPDX-License-Identifier: MIT */
/*
 * Filters of steps, as hosts and consoles hand them in (F50): on two engines with the same steps, one in
 * memory, one on SQLite. Both answer the same; what is listed fits the filter; pages, followed by their
 * cursors, are what is counted. The input is the filter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "fuzz/reference.h"

enum { STEP_COUNT = 18, PAGE_MAX = 24, FILTER_LEN = 2048, NAMES_LEN = 512 };

static stepbus *engines[2];

static void enqueue(stepbus *engine, int i)
{
	static const char *const queues[] = { "default", "mail", "print" };
	static const char *const tags[] = { "", "red", "red,blue" };
	static const char *const namespaces[] = { "", "shop" };
	char name[8], correlation[8];
	stepbus_step_spec spec = { .size = sizeof spec,
				   .handler_name = i % 4 == 0 ? "bill" : "send",
				   .handler_name_len = 4,
				   .queue = queues[i % 3],
				   .queue_len = strlen(queues[i % 3]),
				   .tags = tags[i % 3],
				   .tags_len = strlen(tags[i % 3]),
				   .handler_namespace = namespaces[i % 2],
				   .handler_namespace_len = strlen(namespaces[i % 2]),
				   .step_name = name,
				   .correlation_id = correlation,
				   .delay_ms = i % 5 == 0 ? 1000000 : 0 };
	stepbus_enqueued out = { .size = sizeof out };

	spec.step_name_len = (size_t)snprintf(name, sizeof name, "s%d", i);
	spec.correlation_id_len = (size_t)snprintf(correlation, sizeof correlation, "c%d", i / 4);
	fuzz_check(stepbus_step_enqueue(engine, &spec, 1, &out, NULL) == STEPBUS_OK);
	if (i % 6 == 1)
		fuzz_check(stepbus_step_cancel(engine, out.step_id, NULL) == STEPBUS_OK);
}

static void open_engines(void)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	char config[128], path[64];

	(void)snprintf(path, sizeof path, "/dev/shm/fuzz_query_%d", (int)getpid());
	(void)unlink(path);
	for (int i = 0; i < 2; i++) {
		stepbus_options options = { .size = sizeof options, .host = fuzz_host() };

		(void)snprintf(config, sizeof config, "{\"store\":\"%s%s\"%s}",
			       i == 0 ? "memory:" : "sqlite:", i == 0 ? "" : path,
			       i == 0 ? "" : ",\"durability\":\"process\"");
		options.config = config;
		options.config_len = strlen(config);
		fuzz_host_reset();
		if (stepbus_open(&options, &engines[i], &err) != STEPBUS_OK)
			fuzz_fail(__FILE__, __LINE__, "%s", err.message);
		for (int s = 0; s < STEP_COUNT; s++) {
			fuzz_host_advance(1000000);
			enqueue(engines[i], s);
		}
	}
	/* SQLite keeps them open; nobody else is to have them. */
	(void)unlink(path);
}

static sb_slice text_of(const fuzz_json *json, const char *name)
{
	const fuzz_json *field = fuzz_json_find(json, sb_slice_z(name));

	return field != NULL && field->kind == FUZZ_JSON_TEXT ?
		       sb_slice_of(field->text, field->text_len) :
		       sb_slice_of(NULL, 0);
}

static bool has_text(const fuzz_json *list, sb_slice text)
{
	const fuzz_json *item = list;

	if (list->kind == FUZZ_JSON_TEXT)
		return sb_slice_is_equal(sb_slice_of(list->text, list->text_len), text);
	for (item = list->first; item != NULL; item = item->next)
		if (sb_slice_is_equal(sb_slice_of(item->text, item->text_len), text))
			return true;
	return list->first == NULL;
}

static void check_fits(const fuzz_json *filter, const fuzz_json *step)
{
	static const char *const fields[] = { "queue", "handler", "handler_namespace",
					      "correlation_id" };
	const fuzz_json *wanted;

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		wanted = fuzz_json_find(filter, sb_slice_z(fields[i]));
		if (wanted != NULL)
			fuzz_check(sb_slice_is_equal(text_of(step, fields[i]),
						     text_of(filter, fields[i])));
	}
	wanted = fuzz_json_find(filter, sb_slice_z("state"));
	if (wanted != NULL)
		fuzz_check(has_text(wanted, text_of(step, "state")));
	wanted = fuzz_json_find(filter, sb_slice_z("tag"));
	if (wanted != NULL)
		fuzz_check(
			has_text(fuzz_json_find(step, sb_slice_z("tags")), text_of(filter, "tag")));
}

/* One page: its names go to names, its cursor to cursor; answers how many there were. */
static size_t list(stepbus *engine, sb_slice json, const fuzz_json *filter, char *names,
		   char cursor[64])
{
	stepbus_text *text = NULL;
	const fuzz_json *step;
	fuzz_json *page;
	size_t count = 0;

	fuzz_check(stepbus_step_list(engine, json.data, json.len, &text, NULL) == STEPBUS_OK);
	page = fuzz_json_own(text);
	step = fuzz_json_find(page, sb_slice_z("steps"));
	fuzz_check(step != NULL && step->kind == FUZZ_JSON_ARRAY);
	for (step = step->first; step != NULL; step = step->next, count++) {
		const sb_slice name = text_of(step, "step_name");

		check_fits(filter, step);
		(void)snprintf(names + strlen(names), NAMES_LEN - strlen(names), " %.*s",
			       (int)name.len, name.data);
	}
	(void)snprintf(cursor, 64, "%.*s", (int)text_of(page, "cursor").len,
		       text_of(page, "cursor").len > 0 ? text_of(page, "cursor").data : "");
	fuzz_json_free(page);
	stepbus_text_free(text);
	return count;
}

static void check_pages(stepbus *engine, sb_slice json, const fuzz_json *filter, char *names)
{
	char room[FILTER_LEN + 128], cursor[64] = "";
	const bool has_cursor = fuzz_json_find(filter, sb_slice_z("cursor")) != NULL;
	uint64_t counted = 0;
	size_t count = 0;

	fuzz_check(stepbus_step_count(engine, json.data, json.len, &counted, NULL) == STEPBUS_OK);
	count = list(engine, json, filter, names, cursor);
	/* Whatever may stand between, a member of an object can be put in front of the first. */
	for (int i = 0; i < PAGE_MAX && cursor[0] != '\0' && !has_cursor; i++) {
		const fuzz_json *first = filter->first;
		int len = 0;

		if (json.len > FILTER_LEN)
			return;
		len = snprintf(room, sizeof room, "{\"cursor\":\"%s\"%s%.*s", cursor,
			       first != NULL ? "," : "",
			       (int)(json.data + json.len - filter->raw.data - 1),
			       filter->raw.data + 1);
		count += list(engine, sb_slice_of(room, (size_t)len), filter, names, cursor);
	}
	if (!has_cursor)
		fuzz_check(count == counted);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	char names[2][NAMES_LEN] = { "", "" };
	stepbus_status status[2];
	fuzz_json *filter;
	fuzz_feed feed;
	uint64_t count;
	sb_slice json;

	if (engines[0] == NULL)
		open_engines();
	fuzz_feed_begin(&feed, bytes, len);
	json = fuzz_feed_rest(&feed);
	filter = fuzz_json_parse(json, 32);
	for (int i = 0; i < 2; i++) {
		status[i] = stepbus_step_count(engines[i], json.data, json.len, &count, &err);
		fuzz_check(status[i] == STEPBUS_OK || status[i] == STEPBUS_EINVAL);
		if (status[i] == STEPBUS_OK && filter != NULL)
			check_pages(engines[i], json, filter, names[i]);
	}
	/* A cursor is of one store. */
	if (fuzz_json_find(filter, sb_slice_z("cursor")) == NULL) {
		fuzz_check(status[0] == status[1]);
		if (strcmp(names[0], names[1]) != 0)
			fuzz_fail(__FILE__, __LINE__, "memory lists%s, sqlite%s", names[0],
				  names[1]);
	}
	fuzz_json_free(filter);
	fuzz_feed_end(&feed);
}
