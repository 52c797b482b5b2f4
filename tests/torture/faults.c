/* SPDX-License-Identifier: MIT */
/*
 * What fails below and around an engine, and what it makes of that:
 *
 *   faults quick|torture|long [SEED]   all classes, in the sizes of a tier
 *   faults io COUNT [SEED]             file operations, through a VFS of SQLite (T4)
 *   faults calls COUNT [SEED]          system calls, by strace (T3)
 *   faults clocks SEEDS [SEED]         clocks that jump (T13)
 *   faults files                       file systems and files (T12)
 *   faults limits                      descriptors, threads, memory (T17)
 *   faults control                     what must be found out
 *   faults io-chain 0 SEED             one chain of lives of "io" again, as it was told
 *   faults clocks-seed 0 SEED          one seed of "clocks" again
 *
 * What cannot be tried here is a failure: strace must be there and be allowed to trace, and some scenes
 * need root, mounts and a loop device. Where that cannot be had, STEPBUS_PROOF_SKIPS=1 in the environment
 * makes skipping no failure; what was skipped is printed. STEPBUS_TEST_SLOWNESS=N multiplies the limits
 * behind which something counts as hanging, for machines with much else to do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture/faults/clocks.h"
#include "torture/faults/files.h"
#include "torture/faults/io.h"
#include "torture/faults/life.h"
#include "torture/faults/limits.h"
#include "torture/faults/score.h"
#include "torture/faults/syscalls.h"

/* By a child: it opens an engine, and this process only ever forks. */
static bool make_template(void)
{
	char path[256];
	int status = -1;

	(void)snprintf(path, sizeof path, "%s/template.db", score_directory());
	if (fork() == 0)
		_exit(life_make_store(path) ? 0 : 1);
	return wait(&status) > 0 && status == 0;
}

typedef struct tier {
	const char *name;
	uint32_t io_count;
	uint32_t call_count;
	uint32_t clock_count;
	bool is_short;
} tier;

static const tier tiers[] = {
	{ "quick", 2000, 500, 1000, true },
	{ "torture", 100000, 21000, 100000, false },
	{ "long", 500000, 60000, 1000000, false },
};

static bool is_tier_name(const char *text)
{
	for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++)
		if (strcmp(text, tiers[i].name) == 0)
			return true;
	return false;
}

static void run_controls(void)
{
	io_control();
	syscalls_control();
	clocks_control();
	files_control();
	limits_control();
}

static void run_tier(const tier *t, uint64_t seed)
{
	run_controls();
	io_torture(t->io_count, seed);
	syscalls_torture(t->call_count, seed);
	clocks_torture(t->clock_count, seed);
	files_torture(t->is_short);
	limits_torture(t->is_short);
}

static bool run(const char *what, uint32_t count, uint64_t seed)
{
	for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++)
		if (strcmp(what, tiers[i].name) == 0) {
			run_tier(&tiers[i], seed);
			return true;
		}
	if (strcmp(what, "io") == 0)
		io_torture(count, seed);
	else if (strcmp(what, "calls") == 0)
		syscalls_torture(count, seed);
	else if (strcmp(what, "clocks") == 0)
		clocks_torture(count, seed);
	else if (strcmp(what, "clocks-seed") == 0)
		clocks_replay(seed);
	else if (strcmp(what, "files") == 0)
		files_torture(false);
	else if (strcmp(what, "limits") == 0)
		limits_torture(false);
	else if (strcmp(what, "io-chain") == 0)
		io_replay(seed);
	else if (strcmp(what, "control") == 0)
		run_controls();
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	bool is_tier = argc > 1 && is_tier_name(argv[1]);
	const char *seed_text = argc > (is_tier ? 2 : 3) ? argv[is_tier ? 2 : 3] : NULL;
	uint64_t seed =
		seed_text != NULL ? (uint64_t)strtoull(seed_text, NULL, 10) : (uint64_t)getpid();
	uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000;
	int status;

	if (argc < 2 || argc > 4) {
		(void)fprintf(stderr, "usage: faults quick|torture|long [SEED]\n"
				      "       faults io|calls|clocks COUNT [SEED]\n"
				      "       faults files|limits|control\n"
				      "       faults io-chain|clocks-seed 0 SEED\n");
		return 2;
	}
	score_say("faults %s, seed %llu, in %s", argv[1], (unsigned long long)seed,
		  score_directory());
	if (!score(make_template(), "a store cannot even be made") || !run(argv[1], count, seed))
		return 2;
	status = score_end();
	score_tidy();
	return status;
}
