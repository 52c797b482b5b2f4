/* SPDX-License-Identifier: MIT */
#include "torture/faults/io.h"

#include <inttypes.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/slowness.h"
#include "torture/faults/broken_vfs.h"
#include "torture/faults/life.h"
#include "torture/faults/score.h"

enum {
	PROCESS_COUNT = 6,
	CHAIN = 6,        /* lives that share a store */
	ROUNDS_MAX = 8,   /* faults in a life */
	LIVES_MAX = 2000, /* of a process: then another takes over, so that what leaks shows */
	PATH_LEN = 256,
	WATCH_MS = 100, /* ten polls of the engine, and as many heartbeats */
	/* Operations that may fail meanwhile: some three times what was seen in some hundred looks. */
	ASKED_MAX = 300,
	BUSY_MAX = 3000, /* a lock is asked for every 50 us at first */
	LOGGED_MAX = 10,
	RECOVER_MS = 3000,
	COUNTED_FROM = 1000,
};

/* Shared by the processes. */
typedef struct sums {
	_Atomic(uint32_t) hit_count; /* plans of which something failed */
	_Atomic(uint32_t) life_count;
	_Atomic(uint64_t) failure_count;
	_Atomic(uint32_t) hits[32]; /* by way */
	_Atomic(uint32_t) acknowledged_count, run_count;
	_Atomic(uint32_t) recovered_count, dead_count, watch_count, sync_count;
	_Atomic(uint32_t) asked_max, busy_max, logged_max; /* busy: of locks that were refused */
	_Atomic(uint32_t) violation_count;
	_Atomic(uint32_t) behind_count,
		told_behind_count; /* calls behind a failed sync; successes */
	uint32_t wanted_count;
} sums;

typedef struct trial {
	sums *sums;
	record *record;
	char path[PATH_LEN];
	const char *template_path;
	draw draw;
	uint64_t seed; /* of the chain */
	const broken_way *way;
	int nth;
	bool is_lasting;
	int place; /* in the chain */
} trial;

static void raise_to(_Atomic(uint32_t) *most, uint32_t value)
{
	uint32_t before = atomic_load(most);

	while (value > before && !atomic_compare_exchange_weak(most, &before, value))
		;
}

static void plan(trial *t)
{
	t->way = &broken_ways[draw_below(&t->draw, (uint32_t)broken_way_count)];
	/* Early ones more often: of some kinds there are few. */
	t->nth = 1 + (int)draw_below(&t->draw, 1U << draw_below(&t->draw, 8));
	t->is_lasting = draw_below(&t->draw, 2) == 0;
	broken_plan(t->way, t->nth, t->is_lasting);
}

/* A busy machine wakes who watches late: what so much time would have seen. */
static uint32_t in_watch(uint32_t count, int64_t begun_us)
{
	int64_t took_us = life_elapsed_us() - begun_us, watch_us = (int64_t)WATCH_MS * 1000;

	return took_us > watch_us ? (uint32_t)(count * watch_us / took_us) : count;
}

/* Whoever fails again and again must not do so as fast as it can. */
static void watch(trial *t, life *l)
{
	int64_t begun_us = life_elapsed_us();
	uint32_t asked = broken_failure_count(), logged = atomic_load(&l->record->log_count);
	bool is_busy = t->way->code == SQLITE_BUSY;

	(void)poll(NULL, 0, WATCH_MS);
	asked = in_watch(broken_failure_count() - asked, begun_us);
	logged = in_watch(atomic_load(&l->record->log_count) - logged, begun_us);
	raise_to(is_busy ? &t->sums->busy_max : &t->sums->asked_max, asked);
	raise_to(&t->sums->logged_max, logged);
	atomic_fetch_add(&t->sums->watch_count, 1);
	/* Who waits for a lock asks again and again, but sleeps in between. */
	if (asked > (is_busy ? BUSY_MAX : ASKED_MAX))
		record_complain(l->record, "%u operations failed in %d ms", asked, WATCH_MS);
	if (logged > LOGGED_MAX)
		record_complain(l->record, "%u records were logged in %d ms", logged, WATCH_MS);
}

static void act(sums *s, life *l, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		bool has_failed = broken_has_sync_failed();
		uint32_t before = atomic_load(&l->record->acknowledged_count);

		life_act(l);
		if (!has_failed)
			continue;
		atomic_fetch_add(&s->behind_count, 1);
		if (atomic_load(&l->record->acknowledged_count) == before)
			continue;
		atomic_fetch_add(&s->told_behind_count, 1);
		record_complain(l->record, "a success was told behind a failed sync");
	}
}

/* The disk is sound again: the store goes on, or says that it is dead, and then for good. */
static bool recover(trial *t, life *l)
{
	int64_t until_us = life_elapsed_us() + (int64_t)RECOVER_MS * 1000 * test_slowness();
	stepbus_status status = STEPBUS_EBUSY;
	bool is_dead = false;

	broken_mend();
	while (status != STEPBUS_OK && !is_dead && life_elapsed_us() < until_us) {
		status = life_enqueue(l, "pull", 1);
		is_dead = status == STEPBUS_ESTORE && strstr(l->err.message, "anew") != NULL;
		if (status != STEPBUS_OK)
			(void)poll(NULL, 0, 1);
	}
	if (is_dead && t->way->is_passing)
		record_complain(l->record, "dead of what passes: %.300s", l->err.message);
	if (!is_dead && status != STEPBUS_OK)
		record_complain(l->record, "neither dead nor well: %.300s", l->err.message);
	if (is_dead && life_enqueue(l, "pull", 1) == STEPBUS_OK)
		record_complain(l->record, "a dead store took a step");
	if (status == STEPBUS_OK && broken_has_sync_failed()) {
		atomic_fetch_add(&t->sums->told_behind_count, 1);
		record_complain(l->record, "a success was told behind a failed sync");
	}
	if (status == STEPBUS_OK && life_drain(l, RECOVER_MS * test_slowness()) == 0)
		record_complain(l->record, "no step could be completed when all was well: %.300s",
				l->err.message);
	atomic_fetch_add(is_dead ? &t->sums->dead_count : &t->sums->recovered_count, 1);
	return status == STEPBUS_OK;
}

/* Opening failed: it must work on a sound disk. */
static bool open_at_last(life *l)
{
	broken_mend();
	if (life_open(l))
		return true;
	record_complain(l->record, "cannot be opened when all is well again: %.300s",
			l->err.message);
	return false;
}

static void add_up(trial *t)
{
	uint32_t failures = broken_failure_count();

	if (failures == 0)
		return;
	atomic_fetch_add(&t->sums->hit_count, 1);
	atomic_fetch_add(&t->sums->failure_count, failures);
	atomic_fetch_add(&t->sums->hits[t->way - broken_ways], 1);
	if (broken_has_sync_failed())
		atomic_fetch_add(&t->sums->sync_count, 1);
}

/* One fault, and what comes of it. False where the life is over: the store is dead, or left broken. */
static bool suffer(trial *t, life *l)
{
	bool is_dead;

	act(t->sums, l, l->is_big ? 30 : 3 + draw_below(&t->draw, 6));
	if (t->is_lasting && draw_below(&t->draw, 32) == 0 && broken_failure_count() > 0)
		watch(t, l);
	is_dead = draw_below(&t->draw, 8) == 0;
	if (!is_dead && broken_failure_count() > 0)
		is_dead = !recover(t, l);
	add_up(t);
	return !is_dead;
}

static void live(trial *t)
{
	life l = { .path = t->path, .record = t->record, .draw = { draw_number(&t->draw) } };
	bool is_early = draw_below(&t->draw, 3) == 0;

	l.has_pool = draw_below(&t->draw, 3) == 0;
	l.is_big = draw_below(&t->draw, 64) == 0;
	if (is_early)
		plan(t);
	if (!life_open(&l)) {
		add_up(t);
		if (l.engine != NULL || !open_at_last(&l)) {
			stepbus_close(l.engine);
			return;
		}
		/* Another handle, of which nothing has failed. */
		broken_plan(NULL, 0, false);
	}
	for (int i = 0; i < ROUNDS_MAX; i++) {
		if (i > 0 || !is_early)
			plan(t);
		if (!suffer(t, &l))
			break;
	}
	life_check_idle(&l);
	life_close(&l);
}

/* False where something is wrong. */
static bool live_and_judge(trial *t)
{
	uint32_t before = atomic_load(&t->record->acknowledged_count);
	uint32_t runs_before = atomic_load(&t->record->run_count);

	broken_plan(NULL, 0, false);
	live(t);
	broken_mend();
	atomic_fetch_add(&t->sums->life_count, 1);
	atomic_fetch_add(&t->sums->acknowledged_count,
			 atomic_load(&t->record->acknowledged_count) - before);
	atomic_fetch_add(&t->sums->run_count, atomic_load(&t->record->run_count) - runs_before);
	if (broken_open_count() != 0)
		record_complain(t->record, "%d files were left open", broken_open_count());
	(void)record_judge(t->record, t->path);
	if (atomic_load(&t->record->has_trouble) == 0)
		return true;
	atomic_fetch_add(&t->sums->violation_count, 1);
	(void)printf("VIOLATION: chain %" PRIu64 ", life %d, %s at %d%s: %s\n", t->seed, t->place,
		     t->way->name, t->nth, t->is_lasting ? ", lasting" : "", t->record->trouble);
	(void)fflush(stdout);
	return false;
}

static void run_chain(trial *t, uint64_t seed)
{
	t->seed = seed;
	t->draw.state = seed;
	record_clear(t->record);
	score_remove_store(t->path);
	/* Also a store that is only just made. */
	if (draw_below(&t->draw, 8) != 0 && !score_copy(t->template_path, t->path))
		record_complain(t->record, "there is no template");
	for (t->place = 0; t->place < CHAIN; t->place++)
		if (!live_and_judge(t))
			return;
}

static void run_process(sums *s, const char *template_path, uint64_t seed)
{
	trial t = { .sums = s, .record = record_new(), .template_path = template_path };
	draw seeds = { seed };

	(void)snprintf(t.path, sizeof t.path, "%s/io-%d.db", score_directory(), (int)getpid());
	if (t.record == NULL || !broken_install())
		_exit(2);
	t.way = &broken_ways[0];
	for (int i = 0; i < LIVES_MAX / CHAIN; i++) {
		if (atomic_load(&s->hit_count) >= s->wanted_count ||
		    atomic_load(&s->violation_count) >= 20)
			break;
		run_chain(&t, draw_number(&seeds) >> 16);
	}
	if (atomic_load(&s->violation_count) == 0)
		score_remove_store(t.path);
	_exit(0);
}

static pid_t start(sums *s, const char *template_path, uint64_t seed)
{
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_process(s, template_path, seed);
	return pid;
}

static void tell(const sums *s)
{
	for (int i = 0; i < broken_way_count; i++)
		score_say("  %-40s %u faults", broken_ways[i].name, atomic_load(&s->hits[i]));
	score_proof(
		"%u faults of file operations in %u lives of an engine (%" PRIu64
		" operations failed), %u calls acknowledged, %u runs of a handler: %u violations "
		"(lost, invented or doubled steps, attempts that ran twice, damaged files, "
		"statements or files left open, slow ends)",
		atomic_load(&s->hit_count), atomic_load(&s->life_count),
		atomic_load(&s->failure_count), atomic_load(&s->acknowledged_count),
		atomic_load(&s->run_count), atomic_load(&s->violation_count));
	score_proof(
		"%u times a sync failed: of %u calls behind it, until the file was opened anew, "
		"%u told a success",
		atomic_load(&s->sync_count), atomic_load(&s->behind_count),
		atomic_load(&s->told_behind_count));
	score_proof(
		"%u times the disk became sound under the engine: %u times it went on, %u times "
		"it had said that it must be opened anew",
		atomic_load(&s->recovered_count) + atomic_load(&s->dead_count),
		atomic_load(&s->recovered_count), atomic_load(&s->dead_count));
	score_proof(
		"%u times it was watched for %d ms, in which the engine polls ten times, while a "
		"fault lasted: at most %u operations tried, %u where they were refused locks, at "
		"most %u records logged",
		atomic_load(&s->watch_count), WATCH_MS, atomic_load(&s->asked_max),
		atomic_load(&s->busy_max), atomic_load(&s->logged_max));
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

void io_torture(uint32_t count, uint64_t seed)
{
	sums *s = new_sums(count);
	char template_path[PATH_LEN];
	draw seeds = { seed };
	int running = 0, status;
	uint32_t died_count = 0;

	(void)snprintf(template_path, sizeof template_path, "%s/template.db", score_directory());
	while (s != NULL && died_count < 5 && atomic_load(&s->violation_count) < 20 &&
	       atomic_load(&s->hit_count) < count) {
		for (; running < PROCESS_COUNT; running++)
			(void)start(s, template_path, draw_number(&seeds));
		if (wait(&status) < 0)
			break;
		running--;
		if (status != 0 && ++died_count > 0)
			score_say("a process ended with status %d", status);
	}
	for (; running > 0 && wait(&status) > 0; running--)
		died_count += status != 0;
	if (!score(s != NULL, "there is no memory"))
		return;
	tell(s);
	(void)score(died_count == 0, "%u processes died", died_count);
	(void)score(atomic_load(&s->violation_count) == 0, "%u violations",
		    atomic_load(&s->violation_count));
	(void)score(atomic_load(&s->hit_count) >= count, "only %u of %u faults",
		    atomic_load(&s->hit_count), count);
	/* What was never tried shows nothing. */
	if (count >= COUNTED_FROM)
		(void)score(atomic_load(&s->sync_count) > 0 && atomic_load(&s->behind_count) > 0 &&
				    atomic_load(&s->recovered_count) > 0 &&
				    atomic_load(&s->dead_count) > 0 &&
				    atomic_load(&s->watch_count) > 0 &&
				    atomic_load(&s->run_count) > 0,
			    "no sync failed, or nothing was called behind one, or nobody watched");
	(void)munmap(s, sizeof *s);
}

void io_replay(uint64_t seed)
{
	sums *s = new_sums(1);
	char template_path[PATH_LEN];
	trial t = { .sums = s, .record = record_new(), .template_path = template_path };
	pid_t pid;

	(void)snprintf(template_path, sizeof template_path, "%s/template.db", score_directory());
	(void)snprintf(t.path, sizeof t.path, "%s/io.db", score_directory());
	pid = fork();
	if (pid == 0) {
		t.way = &broken_ways[0];
		if (s != NULL && t.record != NULL && broken_install())
			run_chain(&t, seed);
		(void)fflush(stdout);
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
	(void)score(s != NULL && atomic_load(&s->violation_count) == 0, "as it was told");
}

/* In a child, which installs the disk that lies. */
static void lie(void)
{
	record *r = record_new();
	char path[PATH_LEN];
	life l = { .path = path, .record = r };
	bool is_found;

	(void)snprintf(path, sizeof path, "%s/lies.db", score_directory());
	if (r == NULL || !broken_install() || !life_open(&l))
		_exit(2);
	(void)life_enqueue(&l, "pull", 1);
	broken_lie(true);
	for (int i = 0; i < 20; i++)
		(void)life_enqueue(&l, "pull", 3);
	life_close(&l);
	broken_lie(false);
	is_found = !record_judge(r, path);
	score_say("  found: %s", r->trouble);
	score_remove_store(path);
	_exit(is_found ? 0 : 1);
}

void io_control(void)
{
	int status = -1;
	pid_t pid;

	(void)score_directory();
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		lie();
	(void)waitpid(pid, &status, 0);
	(void)score(status == 0, "a disk that throws its log away was not found out");
	score_proof("control: a disk that throws away what it says it wrote: %s",
		    status == 0 ? "found out" : "NOT FOUND");
}
