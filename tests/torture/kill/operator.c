/* SPDX-License-Identifier: MIT */
/*
 * An operator: cancels steps that are open and redrives dead letters, found as an operator finds
 * them, by listing; pauses queues and resumes them; and looks at what there is to see.
 */
#include "torture/kill/roles.h"

#include <stdio.h>
#include <string.h>

#include "torture/history/observer.h"

enum { PAUSE_US = 40000, ID_LEN = 36, QUEUE_PAUSE_US = 100000 };

typedef struct operator
{
	stepbus *engine;
	uint32_t random;
}
operator;

static void expect(stepbus_status status, const char *what, const stepbus_error *err)
{
	if (status != STEPBUS_OK && status != STEPBUS_EBUSY)
		observer_fail(what, status, err->message);
}

/* One of those on the page; false where there is none. */
static bool pick(operator* o, const char *filter, uint8_t id[16])
{
	static const char mark[] = "\"step_id\":\"";
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_text *page = NULL;
	stepbus_status status = stepbus_step_list(o->engine, filter, strlen(filter), &page, &err);
	const char *at = stepbus_text_data(page);
	uint32_t skip = role_draw(&o->random, 20);
	bool is_found = false;

	expect(status, "list steps", &err);
	while (status == STEPBUS_OK && (at = strstr(at, mark)) != NULL) {
		at += sizeof mark - 1;
		is_found = stepbus_id_parse(at, ID_LEN, id, NULL) == STEPBUS_OK;
		if (skip-- == 0)
			break;
	}
	stepbus_text_free(page);
	return is_found;
}

static void cancel(operator* o)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status;
	uint8_t id[16];

	if (!pick(o,
		  "{\"state\":[\"scheduled\",\"ready\",\"running\"],\"limit\":20,\"order\":"
		  "\"newest\"}",
		  id))
		return;
	observer_note(LOG_CANCELLING, observer_id_of_bytes(id), 0, 0, 0);
	status = stepbus_step_cancel(o->engine, id, &err);
	observer_note(LOG_CANCELLED, observer_id_of_bytes(id), status, 0, 0);
	if (status != STEPBUS_EALREADY)
		expect(status, "cancel a step", &err);
}

static void redrive(operator* o)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status;
	uint8_t id[16];

	if (!pick(o, "{\"state\":[\"failed\",\"cancelled\",\"quarantined\"],\"limit\":20}", id))
		return;
	observer_note(LOG_REDRIVING, observer_id_of_bytes(id), 0, 0, 0);
	status = stepbus_step_redrive(o->engine, id, &err);
	observer_note(LOG_REDRIVEN, observer_id_of_bytes(id), status, 0, 0);
	if (status != STEPBUS_EALREADY)
		expect(status, "redrive a step", &err);
}

static void resume(operator* o, const char *queue)
{
	stepbus_error err = STEPBUS_ERROR_INIT;

	expect(stepbus_queue_resume(o->engine, queue, strlen(queue), &err), "resume a queue", &err);
}

static void pause(operator* o)
{
	const char *queue = role_draw(&o->random, 2) == 0 ? "default" : "pulled";
	stepbus_error err = STEPBUS_ERROR_INIT;

	expect(stepbus_queue_pause(o->engine, queue, strlen(queue), &err), "pause a queue", &err);
	role_pause_us(QUEUE_PAUSE_US);
	resume(o, queue);
}

static void look(operator* o)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_text *text = NULL;
	uint32_t what = role_draw(&o->random, 3);
	stepbus_status status = what == 0 ? stepbus_engine_stats(o->engine, &text, &err) :
				what == 1 ? stepbus_worker_list(o->engine, &text, &err) :
					    stepbus_queue_list(o->engine, &text, &err);

	expect(status, "look", &err);
	stepbus_text_free(text);
}

static void act(operator* o)
{
	uint32_t what = role_draw(&o->random, 16);

	if (what < 6)
		cancel(o);
	else if (what < 13)
		redrive(o);
	else if (what < 14)
		pause(o);
	else
		look(o);
}

int role_resumer(const role_options *options)
{
	operator o = { .engine = role_open(options) };

	if (o.engine == NULL)
		return 1;
	resume(&o, "default");
	resume(&o, "pulled");
	role_close(o.engine, false);
	return 0;
}

int role_operator(const role_options *options)
{
	operator o = { .random = (uint32_t)options->process * 277803737U };

	o.engine = role_open(options);
	if (o.engine == NULL)
		return 1;
	/* What an operator before left paused. */
	resume(&o, "default");
	resume(&o, "pulled");
	observer_note(LOG_READY, 0, 0, 0, 0);
	while (!role_is_ended()) {
		act(&o);
		role_pause_us(PAUSE_US);
	}
	role_close(o.engine, false);
	return 0;
}
