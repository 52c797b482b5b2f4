/* SPDX-License-Identifier: MIT */
/*
 * The simulator: sim SEEDS [FIRST_SEED] [memory|sqlite|both] [ACTIONS]. Each seed is a world of one to
 * four processes with pull workers on one store, in which everything that happens is drawn from the
 * seed: who does what next, how much time passes, which disk, memory, clock or process fails. What runs
 * is the engine as it is, without its threads (src/handlers/still.h); behind each action an observer
 * looks at the store and judges whether what changed follows from what was called and answered
 * (tests/sim/sim/judge.c), and so does the checker of the torture runs (tests/sim/sim/chronicle.h). In
 * the end all faults end, and everything must become final.
 *
 * A seed that breaks a rule is printed with its last actions and how to run it again; it gives the same
 * run each time, which is itself checked for some seeds by the hash of their actions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/sim/actions.h"
#include "sim/sim/chronicle.h"

enum { ACTIONS_DEFAULT = 300, REPLAY_EVERY = 97, CONTROL_SEEDS = 200, LIES_OF_A_KIND = 4 };

typedef struct totals {
	uint64_t seed_count;
	uint64_t action_count;
	uint64_t violation_count;
	uint64_t replay_count;
	uint64_t step_count, attempt_count;
	uint64_t look_count,
		checked_count; /* by the checker: behind actions, and seeds in their end */
} totals;

static sim the_sim;

static uint64_t run_seed(const sim_options *options, totals *t)
{
	sim *s = &the_sim;

	memset(s, 0, sizeof *s);
	s->options = *options;
	trace_clear(&s->trace);
	sim_model_begin(s, NULL);
	sim_world_begin(s);
	sim_model_end(s);
	while (s->action_number < options->action_count && !s->is_violated &&
	       s->step_count < STEP_MAX - STEP_SPARE)
		sim_act(s);
	if (!s->is_violated)
		sim_drain(s);
	if (!s->is_violated)
		sim_judge_end(s);
	chronicle_end(s);
	t->action_count += (uint64_t)s->action_number;
	t->step_count += (uint64_t)s->step_count;
	t->attempt_count += (uint64_t)s->attempt_count;
	t->look_count += s->checker_look_count;
	t->checked_count += s->is_checked;
	t->violation_count += s->is_violated;
	sim_world_end(s);
	return s->trace.hash;
}

static void run_store(sim_options *options, uint64_t first, uint64_t count, totals *t)
{
	for (uint64_t seed = first; seed < first + count; seed++) {
		totals again = { 0 };
		uint64_t hash;

		options->seed = seed;
		hash = run_seed(options, t);
		t->seed_count++;
		if (count == 1)
			printf("seed %llu: hash %016llx\n", (unsigned long long)seed,
			       (unsigned long long)hash);
		if (seed % REPLAY_EVERY != 0)
			continue;
		t->replay_count++;
		if (run_seed(options, &again) != hash) {
			printf("seed %llu is not the same when it is run again\n",
			       (unsigned long long)seed);
			t->violation_count++;
		}
	}
}

static int finish(const totals *t, const char *store)
{
	printf("proof: sim: %llu seeds, %llu actions on the %s store (%llu steps, %llu attempts, "
	       "%llu "
	       "replays): %llu violations\n",
	       (unsigned long long)t->seed_count, (unsigned long long)t->action_count, store,
	       (unsigned long long)t->step_count, (unsigned long long)t->attempt_count,
	       (unsigned long long)t->replay_count, (unsigned long long)t->violation_count);
	printf("proof: sim: the checker of the torture runs looked %llu times, behind each of "
	       "these "
	       "actions that somebody was there for, and in the end at all of %llu seeds, on the "
	       "%s store",
	       (unsigned long long)t->look_count, (unsigned long long)t->checked_count, store);
	chronicle_print_unseen();
	printf(": %llu violations\n", (unsigned long long)t->violation_count);
	return t->violation_count > 0 || t->checked_count < t->seed_count;
}

typedef struct lies {
	int told, found, kinds;
} lies;

/* Each must be found in each seed in which it is told, and each kind must be told. */
static bool tell_lies(sim_options *options, sim_lie lie, lies *all)
{
	int told = 0, found = 0;

	options->lie = lie;
	for (options->seed = 1; options->seed <= CONTROL_SEEDS && told < LIES_OF_A_KIND;
	     options->seed++) {
		totals t = { 0 };

		(void)run_seed(options, &t);
		told += the_sim.has_lied;
		found += the_sim.has_lied && t.violation_count > 0;
		if (the_sim.has_lied && t.violation_count == 0)
			printf("a lie of kind %d was not found in seed %llu\n", (int)lie,
			       (unsigned long long)options->seed);
	}
	if (told == 0)
		printf("a lie of kind %d was never told\n", (int)lie);
	all->told += told;
	all->found += found;
	all->kinds += told > 0;
	return told > 0 && found == told;
}

/* A judge who finds nothing proves nothing. */
static int control(const sim_options *given, const char *store)
{
	sim_options options = *given;
	lies model = { 0 }, checker = { 0 };
	bool is_right = true;

	options.is_quiet = true;
	options.action_count = ACTIONS_DEFAULT;
	for (int lie = SIM_LIE_NONE + 1; lie < SIM_LIE_COUNT; lie++)
		is_right = tell_lies(&options, (sim_lie)lie,
				     lie < SIM_LIE_CHECKER ? &model : &checker) &&
			   is_right;
	printf("proof: sim: control on the %s store: %d lies of %d kinds told to the model: %d "
	       "found; "
	       "%d lies of %d kinds told to the checker alone: %d found\n",
	       store, model.told, model.kinds, model.found, checker.told, checker.kinds,
	       checker.found);
	return !is_right;
}

/* Gives how many of the two parts failed. */
static int run(sim_options *options, uint64_t first, uint64_t count)
{
	const char *store = options->is_on_disk ? "SQLite" : "memory";
	totals t = { 0 };
	int failed = control(options, store);

	chronicle_forget();
	run_store(options, first, count, &t);
	return failed + finish(&t, store);
}

static bool make_directory(char path[PATH_LEN])
{
	const char *base = getenv("TMPDIR");

	/* What is beside the database lies in files: in memory, where there is such a place. */
	if (base == NULL)
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(path, PATH_LEN, "%s/stepbus-sim-XXXXXX", base);
	return mkdtemp(path) != NULL;
}

int main(int argc, char **argv)
{
	const char *store = argc > 3 ? argv[3] : "both";
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	char directory[PATH_LEN];
	sim_options options = { .action_count = argc > 4 ? atoi(argv[4]) : ACTIONS_DEFAULT,
				.directory = directory };
	int part_count = strcmp(store, "both") == 0 ? 4 : 2;
	int failed = 0;

	if (count == 0) {
		fprintf(stderr, "usage: sim SEEDS [FIRST_SEED] [memory|sqlite|both] [ACTIONS]\n");
		return 2;
	}
	if (!make_directory(directory))
		return 1;
	disk_install();
	printf("seeds %llu to %llu\n", (unsigned long long)first,
	       (unsigned long long)(first + count - 1));
	if (strcmp(store, "sqlite") != 0)
		failed += run(&options, first, count);
	options.is_on_disk = true;
	if (strcmp(store, "memory") != 0)
		failed += run(&options, first, count);
	(void)rmdir(directory);
	printf("%d passed, %d failed\n", part_count - failed, failed);
	return failed > 0;
}
