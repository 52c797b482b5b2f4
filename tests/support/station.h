/* SPDX-License-Identifier: MIT */
/*
 * An engine for tests through the public header, on either store, with a wall clock that moves only
 * when told. It knows two handlers: "echo" gives its input back, "fail" fails for good, with its input
 * as the message. One at a time.
 */
#ifndef TESTS_SUPPORT_STATION_H
#define TESTS_SUPPORT_STATION_H

#include <semaphore.h>
#include <stdatomic.h>

#include "support/answer.h"
#include "support/cmocka.h"
#include "support/tempdir.h"

typedef struct test_station {
	bool is_in_memory;
	test_tempdir dir;
	char config[2 * TEST_PATH_LEN];
	_Atomic(int64_t) now_us;
	_Atomic(int64_t) ahead_ns; /* of the real elapsed time */
	stepbus_host host;
	stepbus *engine;
	stepbus_worker *worker;
	sem_t ended; /* posted for each step that completed or failed */
	stepbus_error err;
} test_station;

/* keys: of the engine's configuration, beside the store, as "\"poll_ms\":10"; NULL: none. */
void test_station_open(test_station *s, bool is_in_memory, const char *keys);
void test_station_close(test_station *s);
/* The same as open, in pieces: what is closed can be opened again, on the same store. */
void test_station_begin(test_station *s, bool is_in_memory, const char *keys);
void test_station_start(test_station *s);
void test_station_stop(test_station *s);
/* Another engine on the same store, for the caller to close. */
stepbus *test_station_second(test_station *s);
/* A worker named "w", which is stopped with the station. */
void test_station_work(test_station *s);
/* Waits until so many more steps have completed or failed. */
void test_station_await(test_station *s, int count);
/* Moves the wall clock, and lets the engine look. */
void test_station_advance(test_station *s, int64_t us);

stepbus_step_spec test_station_spec(const char *handler, const char *input);
void test_station_enqueue(test_station *s, const stepbus_step_spec *spec, uint8_t step_id[16]);
/* Parsed; freed with cJSON_Delete. */
cJSON *test_station_info(test_station *s, const uint8_t step_id[16]);
cJSON *test_station_attempts(test_station *s, const uint8_t step_id[16]);
cJSON *test_station_list(test_station *s, const char *filter);
uint64_t test_station_count(test_station *s, const char *filter);

/* Fails the test, with the message of the station, where a call does not answer STEPBUS_OK. */
#define station_ok(s, call)                                                         \
	do {                                                                        \
		stepbus_status status_ = (call);                                    \
		if (status_ != STEPBUS_OK)                                          \
			fail_msg("%s: %s: %s", #call, stepbus_status_name(status_), \
				 (s)->err.message);                                 \
	} while (0)

#endif
