/* SPDX-License-Identifier: MIT */
/* Engines: opening, stopping and closing them, their queues and cron entries. */
#include <string.h>

#include "torture/famine/template.h"
#include "torture/famine/world.h"

#define FAMINE_NOTES_CALLS
#include "torture/famine/calls.h"

static stepbus_status open_and_close(famine_world *w, const char *keys)
{
	stepbus *engine = NULL;
	stepbus_status status = famine_open(w, keys, &engine);

	if ((engine != NULL) != (status == STEPBUS_OK))
		famine_breach(w, "status %d, and %s engine", status, engine != NULL ? "an" : "no");
	stepbus_close(engine);
	return status;
}

static stepbus_status open_plainly(famine_world *w)
{
	return open_and_close(w, NULL);
}

static stepbus_status open_with_keys(famine_world *w)
{
	return open_and_close(w, "\"retry\":{\"kind\":\"fixed\",\"base_ms\":5},"
				 "\"retention\":{\"completed_ms\":null},"
				 "\"queues\":{\"mail\":{\"concurrency_max\":4},"
				 "\"reports\":{\"paused\":true}}");
}

static void remove_database(famine_world *w)
{
	famine_template_remove(w->database);
}

static stepbus_status look_at_engine(famine_world *w)
{
	stepbus_text *text = NULL;

	if (stepbus_engine_bridge(w->engine) == NULL || stepbus_engine_registry(w->engine) == NULL)
		famine_breach(w, "an engine without a bridge or registry");
	FAMINE_TRY(stepbus_engine_wake(w->engine, &w->err));
	return FAMINE_TEXT(w, text, stepbus_engine_stats(w->engine, &text, &w->err));
}

/* The engine is gone then, so nothing is left to check but the database. */
static stepbus_status stop_and_close(famine_world *w)
{
	stepbus_text *unfinished = NULL;
	stepbus_status status = stepbus_stop(w->engine, 1000, &unfinished, &w->err);

	stepbus_text_free(unfinished);
	if (status != STEPBUS_OK)
		return status;
	stepbus_close(w->engine);
	w->engine = NULL;
	w->worker = NULL;
	return STEPBUS_OK;
}

static stepbus_status set_queue(famine_world *w)
{
	return stepbus_queue_set(w->engine, STEPBUS_TEXT("mail"),
				 STEPBUS_TEXT("{\"concurrency_max\":3,\"rate_count\":7}"), &w->err);
}

static stepbus_status pause_queue(famine_world *w)
{
	FAMINE_TRY(stepbus_queue_pause(w->engine, STEPBUS_TEXT("mail"), &w->err));
	return stepbus_queue_resume(w->engine, STEPBUS_TEXT("mail"), &w->err);
}

static stepbus_status list_queues(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(w, text, stepbus_queue_list(w->engine, &text, &w->err));
}

static void have_queue(famine_world *w)
{
	if (set_queue(w) != STEPBUS_OK)
		famine_breach(w, "no queue");
}

static void lists_queue(famine_world *w)
{
	stepbus_text *text = NULL;

	if (stepbus_queue_list(w->engine, &text, &w->err) != STEPBUS_OK ||
	    strstr(stepbus_text_data(text), "\"mail\"") == NULL)
		famine_breach(w, "the queue is not listed");
	stepbus_text_free(text);
}

static stepbus_status set_cron(famine_world *w)
{
	return stepbus_cron_set(
		w->engine,
		STEPBUS_TEXT("{\"name\":\"nightly\",\"expression\":\"0 3 * * *\",\"zone\":\"Europe/"
			     "Berlin\",\"step\":{\"handler\":\"echo\",\"tags\":[\"a\",\"b\"]}}"),
		&w->err);
}

static stepbus_status remove_cron(famine_world *w)
{
	return stepbus_cron_remove(w->engine, STEPBUS_TEXT("nightly"), &w->err);
}

static stepbus_status list_cron(famine_world *w)
{
	stepbus_text *text = NULL;

	return FAMINE_TEXT(w, text, stepbus_cron_list(w->engine, &text, &w->err));
}

static void have_cron(famine_world *w)
{
	if (set_cron(w) != STEPBUS_OK)
		famine_breach(w, "no cron entry: %s", w->err.message);
}

static void lists_cron(famine_world *w)
{
	stepbus_text *text = NULL;

	if (stepbus_cron_list(w->engine, &text, &w->err) != STEPBUS_OK ||
	    strstr(stepbus_text_data(text), "\"nightly\"") == NULL)
		famine_breach(w, "the cron entry is not listed");
	stepbus_text_free(text);
}

static void lists_no_cron(famine_world *w)
{
	stepbus_text *text = NULL;

	if (stepbus_cron_list(w->engine, &text, &w->err) != STEPBUS_OK ||
	    strstr(stepbus_text_data(text), "\"nightly\"") != NULL)
		famine_breach(w, "the cron entry is still listed");
	stepbus_text_free(text);
}

enum {
	OPENS_IN_MEMORY = FAMINE_COLD | FAMINE_IN_MEMORY,
	OPENS_ON_DISK = FAMINE_COLD | FAMINE_ON_DISK,
};

static const famine_scenario engine[] = {
	{ "open, in memory", OPENS_IN_MEMORY, 0, open_plainly, NULL, NULL },
	{ "open a file", OPENS_ON_DISK, 0, open_plainly, NULL, NULL },
	{ "open with keys, in memory", OPENS_IN_MEMORY, 0, open_with_keys, NULL, NULL },
	{ "open a file with keys", OPENS_ON_DISK, 0, open_with_keys, NULL, NULL },
	{ "make a file", OPENS_ON_DISK, 0, open_plainly, remove_database, NULL },
	{ "look at an engine", FAMINE_ENGINE, 0, look_at_engine, NULL, NULL },
	{ "stop and close", FAMINE_ENGINE, 0, stop_and_close, NULL, NULL },
	{ "stop and close with workers", FAMINE_ENGINE | FAMINE_WORKER, 0, stop_and_close, NULL,
	  NULL },
	{ "set a queue", FAMINE_ENGINE, 0, set_queue, NULL, lists_queue },
	{ "pause a queue", FAMINE_ENGINE, 0, pause_queue, NULL, lists_queue },
	{ "list queues", FAMINE_ENGINE, 0, list_queues, have_queue, NULL },
	{ "set a cron entry", FAMINE_ENGINE, 0, set_cron, NULL, lists_cron },
	{ "remove a cron entry", FAMINE_ENGINE, 0, remove_cron, have_cron, lists_no_cron },
	{ "list cron entries", FAMINE_ENGINE, 0, list_cron, have_cron, NULL },
};
FAMINE_SCENARIOS(famine_engine, engine);
