/* SPDX-License-Identifier: MIT */
/*
 * Bytes that become rows (F6): a step is enqueued with texts of any kind, polled, put down with a
 * cursor, polled again, and fails. Inputs, cursors and partial results come back as they went in; the
 * texts of a failure come back cut and mended, and none of them keeps the failure from being written.
 * On both stores in turn; engines live on for some inputs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/utf8.h"
#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "fuzz/reference.h"
#include "handlers/result.h"

enum { LIFE = 200, WAIT_MS = 10000 };

typedef struct place {
	stepbus *engine;
	stepbus_worker *worker;
	int age;
} place;

static place places[2];

static void remove_files(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-wake", "-lock" };
	char name[96];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
		(void)unlink(name);
	}
}

static void open_place(place *p, bool is_on_disk)
{
	static const char worker[] = "{\"pull\":true,\"block_size\":1}";
	const stepbus_handler_spec handler = { .size = sizeof handler,
					       .flags = STEPBUS_HANDLER_PULLED,
					       .name = "work",
					       .name_len = 4 };
	stepbus_options options = { .size = sizeof options, .host = fuzz_host() };
	stepbus_error err = STEPBUS_ERROR_INIT;
	char path[64], config[192];

	stepbus_close(p->engine);
	(void)snprintf(path, sizeof path, "/dev/shm/fuzz_rows_%d", (int)getpid());
	if (is_on_disk)
		remove_files(path);
	(void)snprintf(config, sizeof config,
		       is_on_disk ? "{\"store\":\"sqlite:%s\",\"durability\":\"process\","
				    "\"payload_len_max\":65536}" :
				    "{\"store\":\"memory:\",\"payload_len_max\":65536}",
		       path);
	options.config = config;
	options.config_len = strlen(config);
	if (stepbus_open(&options, &p->engine, &err) != STEPBUS_OK ||
	    stepbus_registry_register(stepbus_engine_registry(p->engine), &handler, &err) != 0 ||
	    stepbus_worker_start(p->engine, worker, sizeof worker - 1, &p->worker, &err) != 0)
		fuzz_fail(__FILE__, __LINE__, "%s", err.message);
	p->age = 0;
}

/* As the library is to mend: byte for byte, '?' for what belongs to no character. */
static void check_mended(const fuzz_json *json, const char *name, sb_slice given, size_t len_max)
{
	const fuzz_json *field = fuzz_json_find(json, sb_slice_z(name));
	size_t at = 0;

	fuzz_check(field != NULL);
	if (given.len == 0) {
		fuzz_check(field->kind == FUZZ_JSON_NULL || field->text_len == 0);
		return;
	}
	fuzz_check(field->kind == FUZZ_JSON_TEXT && field->text_len <= len_max);
	fuzz_check(given.len > len_max ? field->text_len + 3 >= len_max :
					 field->text_len == given.len);
	while (at < field->text_len) {
		size_t width = fuzz_utf8_step(given.data + at, given.len - at);

		/* A character that the cut went through is no character. */
		width = at + width > field->text_len ? 0 : width;
		if (width == 0)
			fuzz_check(field->text[at] == '?');
		else
			fuzz_check(memcmp(field->text + at, given.data + at, width) == 0);
		at += width > 0 ? width : 1;
	}
}

static int value_of(char c)
{
	static const char signs[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(signs, c) : NULL;

	return at != NULL ? (int)(at - signs) : 0;
}

/* As text, or where it is none as base64 under the other name. */
static void check_bytes(const fuzz_json *json, const char *name, const char *other, sb_slice given)
{
	const fuzz_json *text = fuzz_json_find(json, sb_slice_z(name));
	const fuzz_json *base64 = fuzz_json_find(json, sb_slice_z(other));

	fuzz_check((text != NULL) == fuzz_utf8_is_valid(given));
	if (text != NULL) {
		fuzz_check(sb_slice_is_equal(sb_slice_of(text->text, text->text_len), given));
		return;
	}
	fuzz_check(base64 != NULL && base64->text_len == (given.len + 2) / 3 * 4);
	for (size_t i = 0; i < given.len; i++) {
		const char *four = base64->text + i / 3 * 4;
		const uint32_t bits =
			(uint32_t)value_of(four[0]) << 18 | (uint32_t)value_of(four[1]) << 12 |
			(uint32_t)value_of(four[2]) << 6 | (uint32_t)value_of(four[3]);

		fuzz_check((char)(bits >> (16 - 8 * (i % 3))) == given.data[i]);
	}
}

static void same(const void *data, size_t len, sb_slice given)
{
	fuzz_check(sb_slice_is_equal(sb_slice_of(data, len), given));
}

typedef struct words {
	sb_slice input, cursor, partial, key, type, message, code, backtrace, metadata, correlation;
} words;

static stepbus_step_event poll_one(place *p)
{
	stepbus_step_event event = { .size = sizeof event };
	size_t count = 0;

	fuzz_check(stepbus_poll(p->worker, &event, 1, WAIT_MS, &count, NULL) == STEPBUS_OK);
	fuzz_check(count == 1);
	return event;
}

static void check_document(place *p, const uint8_t step_id[16], const words *w, bool is_failed)
{
	stepbus_text *text = NULL;
	const fuzz_json *part;
	fuzz_json *json;

	fuzz_check(stepbus_step_info(p->engine, step_id, &text, NULL) == STEPBUS_OK);
	json = fuzz_json_own(text);
	fuzz_check(!fuzz_json_has_twins(json));
	check_bytes(json, "input", "input_base64", w->input);
	if (is_failed) {
		part = fuzz_json_find(json, sb_slice_z("last_error"));
		check_mended(part, "message", w->message, SB_ERROR_MESSAGE_LEN_MAX);
		check_mended(part, "error_type", w->type, SB_ERROR_TYPE_LEN_MAX);
		part = fuzz_json_find(json, sb_slice_z("checkpoint"));
		check_bytes(part, "cursor", "cursor_base64", w->cursor);
		check_bytes(part, "partial_result", "partial_result_base64", w->partial);
	}
	fuzz_json_free(json);
	stepbus_text_free(text);
	fuzz_check(stepbus_step_attempts(p->engine, step_id, &text, NULL) == STEPBUS_OK);
	json = fuzz_json_own(text);
	/* A checkpoint is no attempt that leaves a row. */
	for (part = json->first; part != NULL && part->next != NULL;)
		part = part->next;
	if (is_failed) {
		check_mended(part, "message", w->message, SB_ERROR_MESSAGE_LEN_MAX);
		check_mended(part, "backtrace", w->backtrace, SB_BACKTRACE_LEN_MAX);
	}
	fuzz_json_free(json);
	stepbus_text_free(text);
}

static bool fail(place *p, const stepbus_step_event *event, const words *w)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_completion c = { .size = sizeof c,
				 .outcome = STEPBUS_OUTCOME_FAILURE,
				 .token = event->token,
				 .retry_after_ms = -1,
				 .error_type = w->type.data,
				 .error_type_len = w->type.len,
				 .error_message = w->message.data,
				 .error_message_len = w->message.len,
				 .error_code = w->code.data,
				 .error_code_len = w->code.len,
				 .backtrace = w->backtrace.data,
				 .backtrace_len = w->backtrace.len,
				 .metadata = w->metadata.data,
				 .metadata_len = w->metadata.len };
	fuzz_json *metadata = fuzz_json_parse(w->metadata, 64);
	const bool is_allowed =
		w->type.len > 0 && w->type.len <= 128 && w->code.len <= 128 &&
		(w->metadata.len == 0 || (metadata != NULL && metadata->kind == FUZZ_JSON_OBJECT));
	stepbus_status status;

	fuzz_json_free(metadata);
	memcpy(c.step_id, event->step_id, sizeof c.step_id);
	status = stepbus_complete(p->engine, &c, 1, NULL, &err);
	if (status != (is_allowed ? STEPBUS_OK : STEPBUS_EINVAL))
		fuzz_fail(__FILE__, __LINE__, "a failure is answered with %d: %s", status,
			  err.message);
	if (is_allowed)
		/* The same again is the same. */
		fuzz_check(stepbus_complete(p->engine, &c, 1, NULL, NULL) == STEPBUS_OK);
	return is_allowed;
}

static void succeed(place *p, const stepbus_step_event *event, const words *w)
{
	stepbus_completion c = { .size = sizeof c,
				 .outcome = STEPBUS_OUTCOME_SUCCESS,
				 .token = event->token,
				 .retry_after_ms = -1,
				 .result = w->partial.data,
				 .result_len = w->partial.len };
	stepbus_outcome *outcome = NULL;
	const stepbus_completion *read;

	memcpy(c.step_id, event->step_id, sizeof c.step_id);
	fuzz_check(stepbus_complete(p->engine, &c, 1, NULL, NULL) == STEPBUS_OK);
	fuzz_check(stepbus_step_await(p->engine, c.step_id, -1, &outcome, NULL) == STEPBUS_OK);
	read = stepbus_outcome_completion(outcome);
	same(read->result, read->result_len, w->partial);
	stepbus_outcome_free(outcome);
}

static void run(place *p, const words *w, const uint8_t step_id[16])
{
	stepbus_checkpoint_spec checkpoint = { .size = sizeof checkpoint,
					       .cursor = w->cursor.data,
					       .cursor_len = w->cursor.len,
					       .partial_result = w->partial.data,
					       .partial_result_len = w->partial.len,
					       .items_processed = w->cursor.len };
	stepbus_step_event event = poll_one(p);
	bool is_failed;

	fuzz_check(memcmp(event.step_id, step_id, 16) == 0);
	same(event.input, event.input_len, w->input);
	same(event.correlation_id, event.correlation_id_len, w->correlation);
	memcpy(checkpoint.step_id, event.step_id, 16);
	checkpoint.token = event.token;
	fuzz_check(stepbus_checkpoint(p->engine, &checkpoint, NULL) == STEPBUS_OK);
	event = poll_one(p);
	same(event.cursor, event.cursor_len, w->cursor);
	same(event.partial_result, event.partial_result_len, w->partial);
	fuzz_check(event.items_processed == w->cursor.len);
	is_failed = fail(p, &event, w);
	if (!is_failed)
		succeed(p, &event, w);
	check_document(p, step_id, w, is_failed);
}

static void enqueue_and_run(place *p, const words *w)
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "work",
					 .handler_name_len = 4,
					 .input = w->input.data,
					 .input_len = w->input.len,
					 .concurrency_key = w->key.data,
					 .concurrency_key_len = w->key.len,
					 .correlation_id = w->correlation.data,
					 .correlation_id_len = w->correlation.len };
	stepbus_enqueued out = { .size = sizeof out };
	const stepbus_status status = stepbus_step_enqueue(p->engine, &spec, 1, &out, NULL);
	const bool is_allowed = w->input.len <= 65536 && w->key.len <= 256 &&
				w->correlation.len <= 1024 && fuzz_utf8_is_valid(w->correlation);

	fuzz_check(status == (is_allowed ? STEPBUS_OK : STEPBUS_EINVAL));
	if (is_allowed)
		run(p, w, out.step_id);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	fuzz_feed feed;
	words w;
	place *p;
	bool is_on_disk;

	fuzz_feed_begin(&feed, bytes, len);
	is_on_disk = fuzz_feed_bool(&feed);
	p = &places[is_on_disk];
	if (p->engine == NULL || ++p->age == LIFE)
		open_place(p, is_on_disk);
	w.input = fuzz_feed_text(&feed);
	w.cursor = fuzz_feed_text(&feed);
	w.partial = fuzz_feed_text(&feed);
	w.type = fuzz_feed_text(&feed);
	w.message = fuzz_feed_text(&feed);
	w.metadata = fuzz_feed_text(&feed);
	w.code = fuzz_feed_text(&feed);
	w.backtrace = fuzz_feed_text(&feed);
	w.key = fuzz_feed_text(&feed);
	w.correlation = fuzz_feed_text(&feed);
	enqueue_and_run(p, &w);
	fuzz_feed_end(&feed);
}
