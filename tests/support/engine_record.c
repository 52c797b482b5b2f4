/* SPDX-License-Identifier: MIT */
/* What the handlers and bridges of an engine box did, and waiting for it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ids.h"
#include "support/engine_box.h"

static const char probe_name[] = "probe";

/* Room for one more; tests that record so much that this fails have no use for the rest. */
static void *grow(void *list, size_t count, size_t len)
{
	void *grown = list;

	if ((count & (count - 1)) == 0)
		grown = realloc(list, (count == 0 ? 1 : 2 * count) * len);
	if (grown == NULL)
		abort();
	return grown;
}

static void copy_text(char *out, size_t room, const char *text, size_t len)
{
	len = len < room - 1 ? len : room - 1;
	if (len > 0)
		memcpy(out, text, len);
	out[len] = '\0';
}

static char *copy_bytes(const void *bytes, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

void test_box_record_run(test_handler *h, const stepbus_step_event *step)
{
	test_box *box = h->box;
	test_run run = { .token = step->token,
			 .retry_count = step->retry_count,
			 .max_retries = step->max_retries,
			 .at_us = atomic_load(&box->now_us),
			 .input = copy_bytes(step->input, step->input_len),
			 .input_len = step->input_len };

	copy_text(run.handler, sizeof run.handler, h->name, strlen(h->name));
	memcpy(run.step_id, step->step_id, sizeof run.step_id);
	pthread_mutex_lock(&box->lock);
	box->runs = grow(box->runs, box->run_count, sizeof run);
	box->runs[box->run_count++] = run;
	pthread_cond_broadcast(&box->changed);
	pthread_mutex_unlock(&box->lock);
}

static void note_completion(test_note *note, const stepbus_completion *c)
{
	note->text = copy_bytes(c->result, c->result_len);
	note->len = c->result_len;
	note->outcome = c->outcome;
	note->token = c->token;
	memcpy(note->step_id, c->step_id, sizeof note->step_id);
	copy_text(note->error_type, sizeof note->error_type, c->error_type, c->error_type_len);
	copy_text(note->error_message, sizeof note->error_message, c->error_message,
		  c->error_message_len);
}

static void note_json(test_note *note, const void *payload, size_t len)
{
	static const char key[] = "\"step_id\":\"";
	const char *at;

	note->text = copy_bytes(payload, len);
	note->len = len;
	at = strstr(note->text, key);
	if (at != NULL)
		(void)sb_id_parse(at + sizeof key - 1, SB_ID_TEXT_LEN, note->step_id);
}

void test_box_record(test_box *box, stepbus *engine, stepbus_bridge *bridge, uint32_t event_id,
		     const void *payload, size_t len)
{
	test_note note = { .engine = engine };
	const char *name = NULL;
	size_t name_len = 0;
	void (*on_note)(test_box *, const test_note *, const void *, size_t);

	if (stepbus_bridge_event_name(bridge, event_id, &name, &name_len, NULL) != STEPBUS_OK)
		return;
	copy_text(note.name, sizeof note.name, name, name_len);
	if (strcmp(name, STEPBUS_EVENT_STEP_EXECUTION_RECEIVED) == 0) {
		const stepbus_step_event *step = payload;

		note.text = copy_bytes(NULL, 0);
		note.token = step->token;
		memcpy(note.step_id, step->step_id, sizeof note.step_id);
	} else if (strcmp(name, STEPBUS_EVENT_STEP_COMPLETION_SENT) == 0) {
		note_completion(&note, payload);
	} else {
		note_json(&note, payload, len);
	}
	pthread_mutex_lock(&box->lock);
	on_note = box->on_note;
	pthread_mutex_unlock(&box->lock);
	if (on_note != NULL)
		on_note(box, &note, payload, len);
	pthread_mutex_lock(&box->lock);
	box->notes = grow(box->notes, box->note_count, sizeof note);
	box->notes[box->note_count++] = note;
	pthread_cond_broadcast(&box->changed);
	pthread_mutex_unlock(&box->lock);
}

void test_box_enqueued(void *user_data, stepbus_status status, const stepbus_enqueued *results,
		       size_t count, const stepbus_error *err)
{
	test_box *box = user_data;
	const int room = (int)(sizeof box->answers / sizeof *box->answers);

	(void)results;
	(void)count;
	(void)err;
	pthread_mutex_lock(&box->lock);
	if (box->answered_count < room)
		box->answers[box->answered_count] = status;
	box->answered_count++;
	pthread_cond_broadcast(&box->changed);
	pthread_mutex_unlock(&box->lock);
}

void test_box_await(test_box *box, bool (*is_met)(test_box *box, void *context), void *context)
{
	struct timespec limit;
	bool is_late = false;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += TEST_BOX_LIMIT_S;
	pthread_mutex_lock(&box->lock);
	while (!is_met(box, context) && !is_late)
		is_late = pthread_cond_timedwait(&box->changed, &box->lock, &limit) == ETIMEDOUT;
	pthread_mutex_unlock(&box->lock);
	if (is_late) {
		for (size_t i = 0; i < box->note_count && i < 64; i++)
			print_message("%s %s\n", box->notes[i].name, box->notes[i].text);
		fail_msg("what is waited for did not come: %zu runs, %zu notes", box->run_count,
			 box->note_count);
	}
}

static size_t count_runs(const test_box *box, bool is_probe)
{
	size_t count = 0;

	for (size_t i = 0; i < box->run_count; i++)
		count += (strcmp(box->runs[i].handler, probe_name) == 0) == is_probe;
	return count;
}

static bool has_runs(test_box *box, void *context)
{
	return count_runs(box, false) >= *(size_t *)context;
}

void test_box_await_runs(test_box *box, size_t count)
{
	test_box_await(box, has_runs, &count);
}

static bool has_probes(test_box *box, void *context)
{
	return count_runs(box, true) >= *(size_t *)context;
}

void test_box_await_probes(test_box *box, size_t count)
{
	test_box_await(box, has_probes, &count);
}

typedef struct wanted_notes {
	const char *name;
	size_t count;
	size_t looked_at; /* where there are no probes, what was counted stays so */
	size_t found;
} wanted_notes;

static bool is_probe_note(const test_box *box, const test_note *note)
{
	for (size_t i = 0; box->probe_count > 0 && i < box->run_count; i++)
		if (memcmp(box->runs[i].step_id, note->step_id, 16) == 0 &&
		    strcmp(box->runs[i].handler, probe_name) == 0)
			return true;
	return false;
}

static size_t count_notes(const test_box *box, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < box->note_count; i++)
		count += strcmp(box->notes[i].name, name) == 0 &&
			 !is_probe_note(box, &box->notes[i]);
	return count;
}

static bool has_notes(test_box *box, void *context)
{
	wanted_notes *wanted = context;

	if (box->probe_count > 0)
		return count_notes(box, wanted->name) >= wanted->count;
	for (; wanted->looked_at < box->note_count; wanted->looked_at++)
		wanted->found += strcmp(box->notes[wanted->looked_at].name, wanted->name) == 0;
	return wanted->found >= wanted->count;
}

void test_box_await_notes(test_box *box, const char *name, size_t count)
{
	wanted_notes wanted = { .name = name, .count = count };

	test_box_await(box, has_notes, &wanted);
}

static bool has_waiting(test_box *box, void *context)
{
	return box->waiting_count >= *(size_t *)context;
}

void test_box_await_waiting(test_box *box, size_t count)
{
	test_box_await(box, has_waiting, &count);
}

static bool has_answers(test_box *box, void *context)
{
	return box->answered_count >= *(int *)context;
}

void test_box_await_answers(test_box *box, int count)
{
	test_box_await(box, has_answers, &count);
}

size_t test_box_run_count(test_box *box)
{
	size_t count;

	pthread_mutex_lock(&box->lock);
	count = count_runs(box, false);
	pthread_mutex_unlock(&box->lock);
	return count;
}

size_t test_box_count_notes(test_box *box, const char *name)
{
	size_t count;

	pthread_mutex_lock(&box->lock);
	count = count_notes(box, name);
	pthread_mutex_unlock(&box->lock);
	return count;
}

const char *test_box_journal(test_box *box)
{
	static char text[16384];
	size_t len = 0;

	pthread_mutex_lock(&box->lock);
	for (size_t i = 0; i < box->run_count; i++) {
		const test_run *run = &box->runs[i];

		if (strcmp(run->handler, probe_name) == 0)
			continue;
		copy_text(text + len, sizeof text - len, run->input, run->input_len);
		len += strlen(text + len);
	}
	pthread_mutex_unlock(&box->lock);
	text[len] = '\0';
	return text;
}

const test_note *test_box_note(test_box *box, const char *name, size_t n)
{
	static test_note copy;
	bool is_found = false;

	pthread_mutex_lock(&box->lock);
	for (size_t i = 0; i < box->note_count && !is_found; i++) {
		if (strcmp(box->notes[i].name, name) != 0 || is_probe_note(box, &box->notes[i]))
			continue;
		is_found = n-- == 0;
		if (is_found)
			copy = box->notes[i];
	}
	pthread_mutex_unlock(&box->lock);
	if (!is_found)
		fail_msg("there are not so many notes of %s", name);
	return &copy;
}

const char *test_box_story(test_box *box, const uint8_t step_id[16])
{
	static char text[4096];
	size_t len = 0;

	pthread_mutex_lock(&box->lock);
	for (size_t i = 0; i < box->note_count && len < sizeof text; i++) {
		const test_note *note = &box->notes[i];

		if (memcmp(note->step_id, step_id, 16) != 0 ||
		    strcmp(note->name, STEPBUS_EVENT_STEP_EXECUTION_RECEIVED) == 0)
			continue;
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len > 0 ? " " : "",
					note->name);
	}
	pthread_mutex_unlock(&box->lock);
	return len > 0 ? text : "";
}

static bool look_at(void *context, const sb_step_view *view)
{
	test_look *look = context;

	look->is_there = true;
	look->status = view->status;
	look->result_len = view->has_result ? view->result.bytes.len : 0;
	if (view->has_result)
		copy_text(look->result, sizeof look->result, view->result.bytes.data,
			  view->result.bytes.len);
	if (!view->has_error)
		return true;
	copy_text(look->error_type, sizeof look->error_type, view->error.error_type.data,
		  view->error.error_type.len);
	copy_text(look->error_message, sizeof look->error_message, view->error.message.data,
		  view->error.message.len);
	look->error_outcome = view->error.outcome;
	return true;
}

static bool count_attempt(void *context, const sb_attempt_row *row, sb_slice worker)
{
	test_look *look = context;

	(void)worker;
	if (look->attempt_count < sizeof look->retry_at_us / sizeof *look->retry_at_us)
		look->retry_at_us[look->attempt_count] = row->retry_at_us;
	look->attempt_count++;
	return true;
}

test_look test_box_look(test_box *box, stepbus *engine, const uint8_t step_id[16])
{
	sb_store *store = engine->store;
	int64_t id = sb_id_to_row(step_id, store->tag);
	test_look look = { .is_there = false };
	stepbus_status status = store->type->step_view(store, id, look_at, &look, &box->err);

	if (status == STEPBUS_ENOTFOUND)
		return look;
	box_ok(box, status);
	box_ok(box, store->type->attempt_list(store, id, count_attempt, &look, &box->err));
	return look;
}

size_t test_box_count_state(test_box *box, stepbus *engine, sb_step_state state)
{
	const sb_step_filter filter = { .states = 1U << state };
	int64_t count = 0;

	box_ok(box, engine->store->type->step_count(engine->store, &filter, &count, &box->err));
	return (size_t)count;
}
