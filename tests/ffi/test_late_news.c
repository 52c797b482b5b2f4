/* SPDX-License-Identifier: MIT */
/* News of steps that are told after their worker has come to its end. */
#include <sched.h>
#include <string.h>

#include "support/station.h"
#include "support/thread.h"

static test_station s;

typedef struct hearing {
	sem_t has_begun;
	sem_t may_go_on;
	int count;
	bool is_named; /* by the last one */
} hearing;

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	hearing *h = user_data;
	char text[1024] = "";

	(void)event_id;
	memcpy(text, payload, len < sizeof text ? len : sizeof text - 1);
	h->is_named = strstr(text, "\"worker_id\":\"w\"") != NULL;
	if (h->count++ > 0)
		return STEPBUS_OK;
	sem_post(&h->has_begun);
	test_semaphore_wait(&h->may_go_on);
	return STEPBUS_OK;
}

static void free_worker(void *context)
{
	stepbus_worker_free(context);
}

static void a_worker_is_freed_when_all_that_names_it_is_told(void **state)
{
	const stepbus_step_spec spec = test_station_spec("echo", "1");
	const stepbus_step_spec both[] = { spec, spec };
	hearing h = { .count = 0 };
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = hear,
						    .user_data = &h };
	test_thread thread;

	(void)state;
	test_station_open(&s, true, NULL);
	sem_init(&h.has_begun, 0, 0);
	sem_init(&h.may_go_on, 0, 0);
	station_ok(&s, stepbus_bridge_subscribe(stepbus_engine_bridge(s.engine), "step.completed",
						14, &subscription, NULL, &s.err));
	test_station_work(&s);
	station_ok(&s, stepbus_step_enqueue(s.engine, both, 2, NULL, &s.err));
	test_semaphore_wait(&h.has_begun);
	/* A worker that stops gives back what it has not begun. */
	while (test_station_count(&s, "{\"state\":\"completed\"}") < 2)
		sched_yield();
	test_thread_start(&thread, free_worker, s.worker);
	s.worker = NULL;
	test_thread_await_sleep(&thread);
	assert_false(atomic_load(&thread.has_ended));
	sem_post(&h.may_go_on);
	test_thread_join(&thread);
	assert_int_equal(h.count, 2);
	assert_true(h.is_named);
	test_station_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_is_freed_when_all_that_names_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
