/* SPDX-License-Identifier: MIT */
#include "torture/soak/churn.h"

#include <stdio.h>
#include <string.h>

static stepbus_status start_worker(churn *c, stepbus_error *err)
{
	return stepbus_worker_start(c->engine,
				    STEPBUS_TEXT("{\"pool_size\":2,\"queues\":[\"called\"]}"),
				    &c->worker, err);
}

stepbus_status churn_begin(churn *c, stepbus *engine, const char *database, uint32_t seed,
			   stepbus_error *err)
{
	*c = (churn){ .engine = engine, .database = database, .random = seed };
	(void)pthread_mutex_init(&c->lock, NULL);
	return start_worker(c, err);
}

void churn_offer(churn *c, const uint8_t step_id[16])
{
	(void)pthread_mutex_lock(&c->lock);
	memcpy(c->step_id, step_id, sizeof c->step_id);
	c->has_step = true;
	(void)pthread_mutex_unlock(&c->lock);
}

static bool take(churn *c, uint8_t step_id[16])
{
	bool has_step;

	(void)pthread_mutex_lock(&c->lock);
	has_step = c->has_step;
	memcpy(step_id, c->step_id, sizeof c->step_id);
	c->has_step = false;
	(void)pthread_mutex_unlock(&c->lock);
	return has_step;
}

/* What a step may have become meanwhile is no failure. */
static stepbus_status expect(stepbus_status status, stepbus_status a, stepbus_status b)
{
	return status == a || status == b ? STEPBUS_OK : status;
}

static stepbus_status cancel(churn *c, stepbus_error *err)
{
	uint8_t id[16];

	if (!take(c, id))
		return STEPBUS_OK;
	return expect(stepbus_step_cancel(c->engine, id, err), STEPBUS_EALREADY, STEPBUS_ENOTFOUND);
}

static stepbus_status look(churn *c, stepbus_error *err)
{
	stepbus_text *text = NULL;
	uint8_t id[16];
	stepbus_status status;

	if (!take(c, id))
		return STEPBUS_OK;
	status = stepbus_step_info(c->engine, id, &text, err);
	stepbus_text_free(text);
	return expect(status, STEPBUS_ENOTFOUND, STEPBUS_OK);
}

static stepbus_status list(churn *c, stepbus_error *err)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_step_list(
		c->engine, STEPBUS_TEXT("{\"state\":\"failed\",\"limit\":20}"), &text, err);

	stepbus_text_free(text);
	return status;
}

static stepbus_status ask_engine(churn *c, stepbus_error *err)
{
	stepbus_text *text = NULL;
	stepbus_status status = stepbus_engine_stats(c->engine, &text, err);

	stepbus_text_free(text);
	return status;
}

static stepbus_status restart_worker(churn *c, stepbus_error *err)
{
	stepbus_status status = stepbus_worker_stop(c->worker, 30000, NULL, err);

	stepbus_worker_free(c->worker);
	c->worker = NULL;
	return status == STEPBUS_OK ? start_worker(c, err) : status;
}

static int32_t ignore(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	return 0;
}

static stepbus_status subscribe(churn *c, stepbus_error *err)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = ignore };
	stepbus_bridge *bridge = stepbus_engine_bridge(c->engine);
	uint64_t id = 0;
	stepbus_status status =
		stepbus_bridge_subscribe(bridge, "step.*", 6, &subscription, &id, err);

	return status == STEPBUS_OK ? stepbus_bridge_unsubscribe(bridge, id, err) : status;
}

/* An engine of its own on the same file, which enqueues nothing and leaves again. */
static stepbus_status visit(churn *c, stepbus_error *err)
{
	char config[512];
	int len = snprintf(config, sizeof config, "{\"store\":\"sqlite:%s\"}", c->database);
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = (size_t)len };
	stepbus *visitor = NULL;
	stepbus_status status = stepbus_open(&options, &visitor, err);

	stepbus_close(visitor);
	return status;
}

static stepbus_status redrive(churn *c, stepbus_error *err)
{
	uint64_t count = 0;

	return stepbus_step_redrive_all(
		c->engine, STEPBUS_TEXT("{\"state\":\"failed\",\"limit\":5}"), &count, err);
}

stepbus_status churn_turn(churn *c, const char **what, stepbus_error *err)
{
	static const struct {
		const char *what;
		stepbus_status (*act)(churn *c, stepbus_error *err);
		uint32_t period; /* in turns */
	} acts[] = {
		{ "cancel", cancel, 2 },
		{ "step_info", look, 3 },
		{ "list", list, 7 },
		{ "engine_stats", ask_engine, 11 },
		{ "subscribe", subscribe, 5 },
		{ "restart a worker", restart_worker, 101 },
		{ "open another engine", visit, 53 },
		{ "redrive", redrive, 29 },
	};
	stepbus_status status = STEPBUS_OK;

	c->turn++;
	for (size_t i = 0; i < sizeof acts / sizeof *acts && status == STEPBUS_OK; i++) {
		if (c->turn % acts[i].period != 0)
			continue;
		*what = acts[i].what;
		status = acts[i].act(c, err);
	}
	return status;
}

void churn_end(churn *c)
{
	if (c->worker != NULL)
		(void)stepbus_worker_stop(c->worker, 30000, NULL, NULL);
	stepbus_worker_free(c->worker);
	(void)pthread_mutex_destroy(&c->lock);
}
