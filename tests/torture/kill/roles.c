/* SPDX-License-Identifier: MIT */
#include "torture/kill/roles.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "torture/history/observer.h"
#include "torture/kill/behave.h"
#include "torture/kill/guest.h"
#include "torture/kill/points.h"

static const role_entry roles[] = {
	{ "worker", role_worker },           { "puller", role_puller },
	{ "enqueuer", role_enqueuer },       { "operator", role_operator },
	{ "client", role_client },           { "counter", role_counter },
	{ "resumer", role_resumer },         { "life", role_life },
	{ "saboteur", role_saboteur },       { GUEST_PYTHON, role_python },
	{ GUEST_NODE, role_node },           { GUEST_PYTHON_LIAR, role_python_liar },
	{ GUEST_NODE_LIAR, role_node_liar },
};

const role_entry *role_find(const char *name)
{
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (strcmp(roles[i].name, name) == 0)
			return &roles[i];
	return NULL;
}

uint32_t role_draw(uint32_t *random, uint32_t count)
{
	*random = *random * 1664525 + 1013904223;
	return (*random >> 8) % count;
}

void role_pause_us(long time_us)
{
	const struct timespec time = { time_us / 1000000, time_us % 1000000 * 1000 };

	(void)ppoll(NULL, 0, &time, NULL);
}

static void log_record(void *user_data, int32_t level, const char *record, size_t len)
{
	(void)user_data;
	if (level >= STEPBUS_LOG_ERROR)
		(void)fprintf(stderr, "%.*s\n", (int)len, record);
}

/* Engines that share a store share the lease; the rest is each one's own. */
int role_configure(const role_options *options, char *config, size_t len)
{
	uint32_t random = (uint32_t)options->process * 2654435761U;

	return snprintf(config, len,
			"{\"store\":\"sqlite:%s\",\"lease_ms\":1000,\"heartbeat_ms\":%u,"
			"\"poll_ms\":%u,\"durability\":\"%s\",\"crash_count_max\":%d,"
			"\"group_count_max\":%u,\"busy_timeout_ms\":30000,"
			"\"retry\":{\"kind\":\"fixed\",\"base_ms\":20,\"attempt_count_max\":%d}}",
			options->database_path, 150 + 50 * role_draw(&random, 5),
			20 + 30 * role_draw(&random, 4),
			role_draw(&random, 4) == 0 ? "disk" : "process", CRASH_COUNT_MAX,
			role_draw(&random, 3) == 0 ? 4 : 4096, ATTEMPT_COUNT_MAX);
}

stepbus *role_open(const role_options *options)
{
	const stepbus_host host = { .size = sizeof host, .log = log_record };
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine = NULL;
	char config[ROLE_CONFIG_LEN];
	int len = role_configure(options, config, sizeof config);
	const stepbus_options open = {
		.size = sizeof open, .config = config, .config_len = (size_t)len, .host = &host
	};
	stepbus_status status = stepbus_open(&open, &engine, &err);

	points_enter(POINT_SERVING);
	if (status == STEPBUS_OK)
		return engine;
	observer_fail("open", status, err.message);
	return NULL;
}

static int32_t note_completion(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	const stepbus_completion *c = NULL;

	(void)user_data;
	(void)event_id;
	if (stepbus_payload_completion(payload, len, &c, NULL) == STEPBUS_OK)
		observer_note(LOG_COMPLETED, observer_id_of_bytes(c->step_id), (int64_t)c->token,
			      c->outcome, observer_digest(c->result, c->result_len));
	return 0;
}

static int32_t note_loss(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)user_data;
	(void)event_id;
	(void)payload;
	(void)len;
	observer_note(LOG_LOST, 0, 0, 0, 0);
	return 0;
}

stepbus_status role_subscribe(stepbus *engine, const char *name, stepbus_event_fn deliver,
			      stepbus_error *err)
{
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = deliver };

	return stepbus_bridge_subscribe(stepbus_engine_bridge(engine), name, strlen(name),
					&subscription, NULL, err);
}

stepbus_status role_listen(stepbus *engine, stepbus_error *err)
{
	stepbus_status status =
		role_subscribe(engine, STEPBUS_EVENT_STEP_COMPLETION_SENT, note_completion, err);

	return status == STEPBUS_OK ? role_subscribe(engine, "worker.lost", note_loss, err) :
				      status;
}

void role_wait(void)
{
	sigset_t end;
	int number;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	(void)sigwait(&end, &number);
}

bool role_is_ended(void)
{
	static const struct timespec now = { 0, 0 };
	sigset_t end;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	return sigtimedwait(&end, NULL, &now) == SIGTERM;
}

void role_close(stepbus *engine, bool is_asked)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status = STEPBUS_OK;

	points_enter(POINT_ENDING);
	if (is_asked)
		status = stepbus_stop(engine, -1, NULL, &err);
	if (status != STEPBUS_OK)
		observer_fail("stop", status, err.message);
	stepbus_close(engine);
}
