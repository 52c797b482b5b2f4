/* SPDX-License-Identifier: MIT */
/* An engine without threads does nothing but what it is told to, and then what it always does. */
#include "handlers/still.h"

#include <string.h>

#include "base/host.h"
#include "ffi/cron_step.h"
#include "handlers/worker.h"
#include "support/cmocka.h"

typedef struct world {
	stepbus_clock *clock;
	stepbus_host host;
	stepbus *engine;
	stepbus_worker *worker;
	int told_count;
} world;

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)event_id;
	(void)payload;
	(void)len;
	((world *)user_data)->told_count++;
	return STEPBUS_OK;
}

static void open_engine(world *w)
{
	const sb_engine_options options = { .is_in_memory = true,
					    .is_still = true,
					    .path = "",
					    .durability = SB_DURABILITY_MEMORY,
					    .payload_len_max = 1024,
					    .lease_ms = 3000,
					    .heartbeat_ms = 1000,
					    .poll_ms = 100,
					    .group_count_max = 100,
					    .waiting_count_max = 1000,
					    .keep_completed_us = -1,
					    .keep_failed_us = -1,
					    .keep_cancelled_us = -1,
					    .sweep_count_max = 100,
					    .crash_count_max = 3,
					    .retry = sb_retry_policy_default,
					    .cron_reader = &sb_cron_step_reader };
	const stepbus_handler_spec handler = {
		.size = sizeof handler, .flags = STEPBUS_HANDLER_PULLED, .name = "h", .name_len = 1
	};
	const stepbus_subscription all = { .size = sizeof all, .deliver = hear, .user_data = w };
	static const char event[] = STEPBUS_EVENT_STEP_COMPLETION_SENT;

	assert_int_equal(sb_engine_open(&options, &w->host, NULL, &w->engine, NULL), STEPBUS_OK);
	assert_int_equal(
		stepbus_registry_register(stepbus_engine_registry(w->engine), &handler, NULL),
		STEPBUS_OK);
	assert_int_equal(stepbus_bridge_subscribe(stepbus_engine_bridge(w->engine), event,
						  sizeof event - 1, &all, NULL, NULL),
			 STEPBUS_OK);
}

static int set_up(void **state)
{
	static world w;
	static const char config[] = "{\"pull\":true}";
	stepbus_host host = { .size = sizeof host };

	memset(&w, 0, sizeof w);
	assert_int_equal(stepbus_clock_new(INT64_C(1800000000000000), &w.clock, NULL), STEPBUS_OK);
	assert_int_equal(stepbus_clock_lend(w.clock, &host, NULL), STEPBUS_OK);
	assert_int_equal(sb_host_fill(&host, &w.host, NULL), STEPBUS_OK);
	open_engine(&w);
	assert_int_equal(stepbus_worker_start(w.engine, config, sizeof config - 1, &w.worker, NULL),
			 STEPBUS_OK);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	world *w = *state;

	stepbus_close(w->engine);
	stepbus_clock_free(w->clock);
	return 0;
}

static void put(world *w, int64_t delay_ms)
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "h",
					 .handler_name_len = 1,
					 .delay_ms = delay_ms };

	assert_int_equal(stepbus_step_enqueue(w->engine, &spec, 1, NULL, NULL), STEPBUS_OK);
}

static stepbus_status poll(world *w, stepbus_step_event *event)
{
	size_t count;

	*event = (stepbus_step_event){ .size = sizeof *event };
	return stepbus_poll(w->worker, event, 1, 0, &count, NULL);
}

static void complete(world *w, const stepbus_step_event *event)
{
	stepbus_completion completion = { .size = sizeof completion,
					  .outcome = STEPBUS_OUTCOME_SUCCESS,
					  .token = event->token,
					  .retry_after_ms = -1 };

	memcpy(completion.step_id, event->step_id, sizeof completion.step_id);
	assert_int_equal(stepbus_complete(w->engine, &completion, 1, NULL, NULL), STEPBUS_OK);
}

static void what_is_due_waits_for_the_turns_of_clockwork_and_writer(void **state)
{
	world *w = *state;
	stepbus_step_event event;

	put(w, 50);
	sb_still_work_off(w->engine);
	assert_int_equal(stepbus_clock_advance(w->clock, 60, NULL), STEPBUS_OK);
	assert_int_equal(poll(w, &event), STEPBUS_ETIMEDOUT);
	assert_true(sb_still_turn(w->engine, SB_STILL_CLOCKWORK));
	assert_int_equal(poll(w, &event), STEPBUS_ETIMEDOUT);
	assert_true(sb_still_turn(w->engine, SB_STILL_WRITER));
	assert_int_equal(poll(w, &event), STEPBUS_OK);
	complete(w, &event);
}

static void what_happened_is_told_when_the_notices_have_a_turn(void **state)
{
	world *w = *state;
	stepbus_step_event event;

	put(w, 0);
	assert_int_equal(poll(w, &event), STEPBUS_OK);
	complete(w, &event);
	assert_int_equal(w->told_count, 0);
	assert_true(sb_still_turn(w->engine, SB_STILL_NOTICES));
	assert_int_equal(w->told_count, 1);
}

static void with_nothing_to_do_all_sleep(void **state)
{
	world *w = *state;

	sb_still_work_off(w->engine);
	while (sb_still_turn(w->engine, SB_STILL_CLOCKWORK))
		sb_still_work_off(w->engine);
	assert_false(sb_still_turn(w->engine, SB_STILL_WRITER));
	assert_false(sb_still_turn(w->engine, SB_STILL_CLOCKWORK));
	assert_false(sb_still_turn(w->engine, SB_STILL_NOTICES));
}

/* Nobody else would do what a stop waits for. */
static void freeing_a_worker_gives_up_what_its_host_has_polled(void **state)
{
	world *w = *state;
	stepbus_step_event event;

	put(w, 0);
	assert_int_equal(poll(w, &event), STEPBUS_OK);
	stepbus_worker_free(w->worker);
	w->worker = NULL;
	assert_null(w->engine->workers);
}

#define STILL_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STILL_TEST(what_is_due_waits_for_the_turns_of_clockwork_and_writer),
		STILL_TEST(what_happened_is_told_when_the_notices_have_a_turn),
		STILL_TEST(with_nothing_to_do_all_sleep),
		STILL_TEST(freeing_a_worker_gives_up_what_its_host_has_polled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
