/* SPDX-License-Identifier: MIT */
#include "torture/faults/clocks.h"

#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/stepbus.h"
#include "support/slowness.h"
#include "torture/faults/draw.h"
#include "torture/faults/life.h"
#include "torture/faults/score.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)
#define YEAR_US (365 * DAY_US)
/* What a clock may say: see stepbus_host. */
#define WALL_MIN_US INT64_C(1)
#define WALL_MAX_US INT64_C(253402300799999999)

enum {
	PROCESS_COUNT = 2,
	STEP_MAX = 48,
	POLL_MAX = 8,
	UNWOKEN_EVERY = 64,  /* seeds that do not wake the engine at their end */
	COME_MAX_MS = 10000, /* far more than it takes, on a machine with other things to do */
	LATE_MS = 3000, /* an engine looks at the clock once a second; the rest is the machine's */
	LEASE_MS = 30000,
	ON_DISK_EVERY = 16, /* seeds on SQLite, with a second engine */
	PATH_LEN = 256,
	VIOLATION_MAX = 20,
};

typedef struct sums {
	_Atomic(uint32_t) seed_count, violation_count;
	_Atomic(uint64_t) jump_count, step_count, run_count, stale_count, double_count, lost_count;
	_Atomic(uint32_t) unwoken_count, late_count, on_disk_count, loss_seed_count;
	_Atomic(uint32_t) latest_ms;         /* the longest time until a jump was noticed */
	_Atomic(uint64_t) other_taken_count; /* second completions with other content, accepted */
	_Atomic(uint64_t) calm_lost_count;   /* leases lost though elapsed time had not gone on */
	uint32_t wanted_count;
} sums;

typedef struct clock_step {
	uint8_t id[16];
	int64_t due_us;
	bool is_seen; /* the clock has said since that it is due */
	bool is_done;
	uint64_t token; /* of its last attempt */
} clock_step;

typedef struct trial {
	sums *sums;
	uint64_t seed;
	draw draw;
	_Atomic(int64_t) wall_us, elapsed_ns;
	int64_t hidden_us; /* the control: what the engine sees and the judge does not */
	int64_t passed_ns; /* elapsed time that went by */
	bool is_on_disk;
	char path[PATH_LEN];
	stepbus *engine;
	stepbus *
		other; /* on the same file, without a worker: it takes over what a leap makes an end of */
	stepbus_worker *worker;
	_Atomic(uint32_t) lost_count;
	clock_step steps[STEP_MAX];
	uint32_t step_count;
	uint32_t done_count;
	char trouble[256];
	stepbus_error err;
} trial;

#define complain(t, ...)                                                               \
	do {                                                                           \
		if ((t)->trouble[0] == '\0')                                           \
			(void)snprintf((t)->trouble, sizeof(t)->trouble, __VA_ARGS__); \
	} while (0)

static int64_t tell_wall(void *user_data)
{
	trial *t = user_data;

	return atomic_load(&t->wall_us) + t->hidden_us;
}

static int64_t tell_elapsed(void *user_data)
{
	return atomic_load(&((trial *)user_data)->elapsed_ns);
}

static int64_t clamp(int64_t wall_us)
{
	if (wall_us < WALL_MIN_US)
		return WALL_MIN_US;
	return wall_us > WALL_MAX_US ? WALL_MAX_US : wall_us;
}

static int64_t plus(int64_t a, int64_t b)
{
	if (b > 0 && a > INT64_MAX - b)
		return INT64_MAX;
	return b < 0 && a < INT64_MIN - b ? INT64_MIN : a + b;
}

static int64_t now(const trial *t)
{
	return clamp(atomic_load(&t->wall_us));
}

static void set_wall(trial *t, int64_t wall_us)
{
	atomic_store(&t->wall_us, wall_us);
	for (uint32_t i = 0; i < t->step_count; i++)
		t->steps[i].is_seen = t->steps[i].is_seen || now(t) >= t->steps[i].due_us;
	atomic_fetch_add(&t->sums->jump_count, 1);
}

static int64_t draw_span(trial *t)
{
	static const int64_t spans[] = {
		1,      1000,        SECOND_US, 61 * SECOND_US, 3600 * SECOND_US,
		DAY_US, 30 * DAY_US, YEAR_US,   10 * YEAR_US
	};

	return spans[draw_below(&t->draw, sizeof spans / sizeof *spans)];
}

static void jump(trial *t)
{
	static const int64_t edges[] = { 0,
					 -1,
					 INT64_MIN,
					 INT64_MIN + 1,
					 INT64_MAX,
					 INT64_MAX - 1,
					 INT64_C(2147483647) * SECOND_US,
					 INT64_C(2147483648) * SECOND_US,
					 INT64_C(4294967296) * SECOND_US - 1,
					 WALL_MAX_US - 1,
					 WALL_MAX_US + 1,
					 INT64_C(1795000000) * SECOND_US };
	int64_t span = draw_span(t);

	if (draw_below(&t->draw, 6) == 0)
		set_wall(t, edges[draw_below(&t->draw, sizeof edges / sizeof *edges)]);
	else
		set_wall(t, plus(atomic_load(&t->wall_us),
				 draw_below(&t->draw, 2) == 0 ? span : -span));
}

/* Both clocks, as time goes by; or the elapsed one alone, as behind a machine that slept. */
static void go_on(trial *t)
{
	int64_t span = draw_span(t);

	if (span > DAY_US && draw_below(&t->draw, 4) != 0)
		span = SECOND_US / 2;
	t->passed_ns += span * 1000;
	atomic_fetch_add(&t->elapsed_ns, span * 1000);
	/* Else the one with the worker is the first to see it, and its lease goes on. */
	if (t->other != NULL && span > LEASE_MS * INT64_C(1000)) {
		(void)stepbus_engine_wake(t->other, &t->err);
		(void)poll(NULL, 0, 1);
	}
	if (draw_below(&t->draw, 3) != 0)
		set_wall(t, plus(atomic_load(&t->wall_us), span));
}

static void enqueue(trial *t)
{
	stepbus_step_spec spec = { .size = sizeof spec,
				   .handler_name = "pulled",
				   .handler_name_len = 6,
				   .input = &t->step_count,
				   .input_len = sizeof t->step_count };
	stepbus_enqueued out = { .size = sizeof out };
	clock_step *step = &t->steps[t->step_count];
	int64_t span = draw_span(t);

	if (t->step_count == STEP_MAX)
		return;
	*step = (clock_step){ .due_us = now(t) };
	switch (draw_below(&t->draw, 4)) {
	case 0:
		spec.delay_ms = span / 1000 > 0 ? span / 1000 : 1;
		step->due_us = plus(now(t), spec.delay_ms * 1000);
		break;
	case 1:
		spec.run_at_us = plus(now(t), draw_below(&t->draw, 4) == 0 ? -span : span);
		if (spec.run_at_us < 1)
			spec.run_at_us = 1;
		step->due_us = spec.run_at_us;
		break;
	default:
		break;
	}
	if (stepbus_step_enqueue(t->engine, &spec, 1, &out, &t->err) != STEPBUS_OK) {
		complain(t, "enqueueing at %" PRId64 " failed: %.150s", now(t), t->err.message);
		return;
	}
	memcpy(step->id, out.step_id, sizeof step->id);
	step->is_seen = now(t) >= step->due_us;
	t->step_count++;
	atomic_fetch_add(&t->sums->step_count, 1);
}

static stepbus_status complete(trial *t, const clock_step *step, uint64_t token, const char *text)
{
	stepbus_completion c = { .size = sizeof c,
				 .outcome = STEPBUS_OUTCOME_SUCCESS,
				 .token = token,
				 .retry_after_ms = -1,
				 .result = text,
				 .result_len = strlen(text) };

	memcpy(c.step_id, step->id, sizeof c.step_id);
	return stepbus_complete(t->engine, &c, 1, NULL, &t->err);
}

/* Right, once more, with other content, and with the token of an attempt before. */
static void settle(trial *t, clock_step *step, uint64_t token)
{
	uint64_t before = step->token;
	stepbus_status status;

	if (step->is_done)
		complain(t, "a step came again behind its acceptance");
	if (before != 0 && token <= before)
		complain(t, "token %" PRIu64 " came behind %" PRIu64, token, before);
	step->token = token;
	if (before != 0 && before != token && complete(t, step, before, "stale") == STEPBUS_OK)
		complain(t, "the result of a lost attempt was accepted");
	/* Sometimes it is left to its lease. */
	if (draw_below(&t->draw, 8) == 0) {
		status = stepbus_release(t->engine, step->id, token, &t->err);
		if (status != STEPBUS_OK && status != STEPBUS_ESTALE)
			complain(t, "releasing: %.200s", t->err.message);
		return;
	}
	status = complete(t, step, token, "done");
	if (status == STEPBUS_ESTALE || status == STEPBUS_ETIMEDOUT) {
		atomic_fetch_add(&t->sums->stale_count, 1);
		return;
	}
	if (status != STEPBUS_OK) {
		complain(t, "completing: %.200s", t->err.message);
		return;
	}
	step->is_done = true;
	t->done_count++;
	atomic_fetch_add(&t->sums->run_count, 1);
	if (complete(t, step, token, "done") != STEPBUS_OK)
		complain(t, "saying it again: %.200s", t->err.message);
	if (complete(t, step, token, "other") == STEPBUS_OK) {
		atomic_fetch_add(&t->sums->other_taken_count, 1);
		complain(t, "a second result was accepted");
	}
	atomic_fetch_add(&t->sums->double_count, 2);
}

static size_t take(trial *t, int64_t timeout_ms)
{
	stepbus_step_event events[POLL_MAX] = { { .size = sizeof events[0] } };
	size_t count = 0;

	(void)stepbus_poll(t->worker, events, POLL_MAX, timeout_ms, &count, &t->err);
	for (size_t i = 0; i < count; i++) {
		uint32_t place = STEP_MAX;

		if (events[i].input_len == sizeof place)
			memcpy(&place, events[i].input, sizeof place);
		if (place >= t->step_count) {
			complain(t, "a step came that nobody enqueued");
			continue;
		}
		if (!t->steps[place].is_seen)
			complain(t, "a step due at %" PRId64 " came at %" PRId64,
				 t->steps[place].due_us, now(t));
		settle(t, &t->steps[place], events[i].token);
	}
	return count;
}

static void act(trial *t)
{
	switch (draw_below(&t->draw, 10)) {
	case 0:
	case 1:
	case 2:
		enqueue(t);
		break;
	case 3:
	case 4:
		jump(t);
		break;
	case 5:
		go_on(t);
		break;
	case 6:
		(void)stepbus_engine_wake(t->engine, &t->err);
		break;
	default:
		(void)take(t, draw_below(&t->draw, 16) == 0 ? 1 : 0);
		break;
	}
}

/* In the end the clock passes all that is due: then all must come. */
static void see_to_the_end(trial *t)
{
	bool is_woken = t->seed % UNWOKEN_EVERY != 0;
	int64_t begun_us = life_elapsed_us(), last_us = now(t);
	int64_t until_us = begun_us + (int64_t)COME_MAX_MS * 1000 * test_slowness();
	uint32_t wanted = 0, took_ms;

	for (uint32_t i = 0; i < t->step_count; i++) {
		/* Beyond the last moment that a clock can say nothing is ever due. */
		if (t->steps[i].due_us > WALL_MAX_US)
			continue;
		wanted++;
		if (t->steps[i].due_us > last_us)
			last_us = t->steps[i].due_us;
	}
	set_wall(t, last_us);
	while (t->trouble[0] == '\0' && t->done_count < wanted && life_elapsed_us() < until_us) {
		if (is_woken)
			(void)stepbus_engine_wake(t->engine, &t->err);
		(void)take(t, 10);
	}
	if (t->done_count < wanted)
		complain(t, "%u of %u steps never came", wanted - t->done_count, wanted);
	if (is_woken)
		return;
	atomic_fetch_add(&t->sums->unwoken_count, 1);
	took_ms = (uint32_t)((life_elapsed_us() - begun_us) / 1000);
	atomic_fetch_add(&t->sums->late_count, took_ms > (uint32_t)(LATE_MS * test_slowness()));
	for (uint32_t most = atomic_load(&t->sums->latest_ms);
	     took_ms > most && !atomic_compare_exchange_weak(&t->sums->latest_ms, &most, took_ms);)
		;
}

static int32_t hear_loss(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	(void)event_id;
	(void)payload;
	(void)len;
	atomic_fetch_add(&((trial *)user_data)->lost_count, 1);
	return 0;
}

static stepbus_status open_engine(trial *t, const char *store, stepbus **out)
{
	const stepbus_host host = {
		.size = sizeof host, .user_data = t, .now_us = tell_wall, .elapsed_ns = tell_elapsed
	};
	const stepbus_subscription subscription = { .size = sizeof subscription,
						    .deliver = hear_loss,
						    .user_data = t };
	char config[PATH_LEN + 256];
	int len = snprintf(config, sizeof config,
			   "{\"store\":\"%s\",\"lease_ms\":%d,\"poll_ms\":10,\"retention\":{"
			   "\"completed_ms\":null,\"failed_ms\":null,\"cancelled_ms\":null}}",
			   store, LEASE_MS);
	const stepbus_options options = {
		.size = sizeof options, .config = config, .config_len = (size_t)len, .host = &host
	};
	stepbus_status status = stepbus_open(&options, out, &t->err);

	if (status == STEPBUS_OK)
		status = stepbus_bridge_subscribe(stepbus_engine_bridge(*out),
						  STEPBUS_TEXT("worker.lost"), &subscription, NULL,
						  &t->err);
	return status;
}

static bool begin(trial *t)
{
	const stepbus_handler_spec pulled = { .size = sizeof pulled,
					      .flags = STEPBUS_HANDLER_PULLED,
					      .name = "pulled",
					      .name_len = 6 };
	char store[PATH_LEN + 16] = "memory:";
	char template_path[PATH_LEN];

	if (t->is_on_disk) {
		(void)snprintf(t->path, sizeof t->path, "%s/clock-%d.db", score_directory(),
			       (int)getpid());
		(void)snprintf(template_path, sizeof template_path, "%s/template.db",
			       score_directory());
		(void)snprintf(store, sizeof store, "sqlite:%s", t->path);
		(void)score_copy(template_path, t->path);
	}
	return open_engine(t, store, &t->engine) == STEPBUS_OK &&
	       stepbus_registry_register(stepbus_engine_registry(t->engine), &pulled, &t->err) ==
		       STEPBUS_OK &&
	       stepbus_worker_start(t->engine,
				    STEPBUS_TEXT("{\"pull\":true,\"silence_timeout_ms\":0}"),
				    &t->worker, &t->err) == STEPBUS_OK &&
	       (!t->is_on_disk || open_engine(t, store, &t->other) == STEPBUS_OK);
}

static void end(trial *t)
{
	stepbus_close(t->other);
	stepbus_close(t->engine);
	if (t->is_on_disk)
		score_remove_store(t->path);
}

/* Who measures leases by elapsed time notices no jump of the other clock. */
static void judge_losses(trial *t)
{
	uint32_t lost = atomic_load(&t->lost_count);
	bool may_lose = t->is_on_disk && t->passed_ns >= LEASE_MS * INT64_C(1000000);

	atomic_fetch_add(&t->sums->lost_count, lost);
	atomic_fetch_add(&t->sums->loss_seed_count, lost > 0);
	if (lost == 0 || may_lose)
		return;
	atomic_fetch_add(&t->sums->calm_lost_count, lost);
	complain(t, "a lease was lost, though it was not over");
}

/* False where something is wrong. */
static bool run_seed(sums *s, uint64_t seed, int64_t hidden_us)
{
	trial t = { .sums = s, .seed = seed, .draw = { seed }, .hidden_us = hidden_us };
	uint32_t count;

	t.is_on_disk = seed % ON_DISK_EVERY == 1;
	t.err = (stepbus_error)STEPBUS_ERROR_INIT;
	atomic_store(&t.wall_us, INT64_C(1795000000) * SECOND_US);
	atomic_store(&t.elapsed_ns, INT64_C(1000000000000));
	if (hidden_us == 0 && draw_below(&t.draw, 8) == 0)
		jump(&t);
	if (!begin(&t))
		complain(&t, "opening: %.200s", t.err.message);
	count = 10 + draw_below(&t.draw, 40);
	for (uint32_t i = 0; i < count && t.trouble[0] == '\0'; i++)
		act(&t);
	if (t.trouble[0] == '\0')
		see_to_the_end(&t);
	end(&t);
	judge_losses(&t);
	atomic_fetch_add(&s->on_disk_count, t.is_on_disk);
	atomic_fetch_add(&s->seed_count, 1);
	if (t.trouble[0] == '\0')
		return true;
	atomic_fetch_add(&s->violation_count, 1);
	score_say("%s: seed %" PRIu64 ": %s", hidden_us == 0 ? "VIOLATION" : "  found", seed,
		  t.trouble);
	return false;
}

static sums *new_sums(uint32_t count)
{
	void *memory =
		mmap(NULL, sizeof(sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	((sums *)memory)->wanted_count = count;
	return memory;
}

static void start(sums *s, uint32_t part, uint64_t seed)
{
	(void)fflush(stdout);
	if (fork() != 0)
		return;
	for (uint64_t i = part; i < s->wanted_count; i += PROCESS_COUNT)
		if (!run_seed(s, seed + i, 0) && atomic_load(&s->violation_count) >= VIOLATION_MAX)
			break;
	_exit(0);
}

static void tell(const sums *s)
{
	score_proof(
		"%u seeds of clocks that jump, %u of them on SQLite with two engines, the others "
		"in memory with one (%" PRIu64 " jumps by up to ten years and to the ends of "
		"int64), %" PRIu64 " steps, %" PRIu64 " completed: %u violations (early, lost, "
		"double, stale accepted)",
		atomic_load(&s->seed_count), atomic_load(&s->on_disk_count),
		atomic_load(&s->jump_count), atomic_load(&s->step_count),
		atomic_load(&s->run_count), atomic_load(&s->violation_count));
	score_proof("%" PRIu64 " second completions: %" PRIu64
		    " accepted with other content; %" PRIu64 " leases lost, in %u seeds: %" PRIu64
		    " of them without so much elapsed time, or with nobody to lose them to",
		    atomic_load(&s->double_count), atomic_load(&s->other_taken_count),
		    atomic_load(&s->lost_count), atomic_load(&s->loss_seed_count),
		    atomic_load(&s->calm_lost_count));
	score_proof("%u seeds ended with a jump that nobody told the engine of: noticed within %u "
		    "ms, %u of them later than %d ms",
		    atomic_load(&s->unwoken_count), atomic_load(&s->latest_ms),
		    atomic_load(&s->late_count), LATE_MS * test_slowness());
}

/* What was never tried shows nothing. */
static void score_counts(const sums *s, uint32_t count)
{
	(void)score(atomic_load(&s->violation_count) == 0, "%u violations",
		    atomic_load(&s->violation_count));
	(void)score(atomic_load(&s->seed_count) >= count, "only %u of %u seeds",
		    atomic_load(&s->seed_count), count);
	if (count < 4 * UNWOKEN_EVERY)
		return;
	(void)score(atomic_load(&s->unwoken_count) > 0 && atomic_load(&s->late_count) == 0,
		    "%u of %u jumps were noticed late", atomic_load(&s->late_count),
		    atomic_load(&s->unwoken_count));
	(void)score(atomic_load(&s->double_count) > 0, "no second completion");
	(void)score(atomic_load(&s->on_disk_count) > 0 && atomic_load(&s->lost_count) > 0,
		    "no lease was lost");
}

void clocks_torture(uint32_t count, uint64_t seed)
{
	sums *s = new_sums(count);
	uint32_t failed_count = 0;
	int status;

	for (uint32_t i = 0; s != NULL && i < PROCESS_COUNT; i++)
		start(s, i, seed);
	for (uint32_t i = 0; s != NULL && i < PROCESS_COUNT; i++)
		failed_count += wait(&status) < 0 || status != 0;
	if (!score(s != NULL, "there is no memory"))
		return;
	tell(s);
	(void)score(failed_count == 0, "%u processes died", failed_count);
	score_counts(s, count);
	(void)munmap(s, sizeof *s);
}

static int run_in_child(uint64_t seed, int64_t hidden_us)
{
	sums *s = new_sums(1);
	int status = -1;

	(void)fflush(stdout);
	if (fork() == 0)
		_exit(s != NULL && run_seed(s, seed, hidden_us) ? 0 : 1);
	(void)wait(&status);
	return status;
}

void clocks_replay(uint64_t seed)
{
	(void)score(run_in_child(seed, 0) == 0, "seed %" PRIu64, seed);
}

void clocks_control(void)
{
	bool is_found = false;

	/* Not each seed enqueues what such a clock makes early. */
	for (uint64_t seed = 1; seed <= 20 && !is_found; seed++)
		is_found = run_in_child(seed, 3600 * SECOND_US) != 0;
	(void)score(is_found, "a clock that is an hour ahead was not found out");
	score_proof("control: an engine whose clock is an hour ahead: %s",
		    is_found ? "found out" : "NOT FOUND");
}
