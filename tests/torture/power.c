/* SPDX-License-Identifier: MIT */
/*
 * Power cuts. A workload runs on a store while everything that is done to its files is recorded;
 * then the states are built, in memory, that the disk could be in if the power failed at any moment
 * of the record, and each of them is opened, recovered and judged (disk.h says which states those
 * are, verdicts.h what is asked of them). Some are worked off by the library itself.
 *
 *   power STATES [SEED [PROCESSES [PART]]]
 *       so many states at level disk, and a fifth of that at level process; with the controls, which
 *       must find what is put in. PART: only "disk", "process", "syncs", "anew" or
 *       "control".
 *
 * Workloads are drawn from the seed; threads and ids make no two runs the same, so the files of
 * what is wrong are kept, in a directory that is named.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "torture/power/image_vfs.h"
#include "torture/power/recorder.h"
#include "torture/power/trial.h"

enum {
	PROCESS_MAX = 64,
	ACTIONS_MIN = 20,
	ACTIONS_MAX = 60,
	DRAWN = 12,
	FEW_DRAWN = 3,
	CONTROL_STATES = 20000,
	CONTROL_WORKLOADS = 12,
	SYNC_WORKLOADS = 40,
	SYNC_ACTIONS = 150, /* most of them behind the failure, where little is done */
};

/* What the processes share. */
typedef struct shared {
	tally tallies[16];
	_Atomic(int) next;
} shared;

typedef struct run {
	shared *shared;
	char directory[256];
	uint64_t seed;
	int process_count;
	int passed, failed;
} run;

static double now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static unsigned any_flags(uint64_t random)
{
	switch (random % 10) {
	case 0:
	case 1:
		return WORKLOAD_NETWORK;
	case 2:
		return WORKLOAD_OLD;
	case 3:
	case 4:
		return WORKLOAD_MIXED;
	default:
		return 0;
	}
}

/* Trials until there are so many states, or workloads. */
typedef struct series {
	const char *name;
	int tally;
	int level;
	uint64_t states;
	int workloads; /* 0: as many as it takes */
	size_t drawn;  /* cuts at random at each moment; 0: as ever */
	unsigned flags;
	bool is_mixed; /* with all kinds of workloads */
	bool is_control;
	bool is_flipped;
	bool is_sync_failing; /* the first sync of the first workload, the second of the second, … */
} series;

static void try_one(const run *r, const series *s, int number)
{
	tally *t = &r->shared->tallies[s->tally];
	uint64_t seed = image_mix(r->seed, (uint64_t)(s->tally * 1000000 + number));
	unsigned flags = s->is_mixed ? any_flags(seed >> 7) : s->flags;
	char path[512];
	const trial_options o = {
		.workload = { .path = path,
			      .seed = seed,
			      .level = s->level,
			      .flags = flags |
				       (s->is_sync_failing && number % 4 == 0 ? WORKLOAD_NETWORK :
										0),
			      .fail_sync = s->is_sync_failing ? 1 + number : 0,
			      .action_count = s->is_sync_failing ?
						      SYNC_ACTIONS :
						      ACTIONS_MIN + (int)(seed % (ACTIONS_MAX -
										  ACTIONS_MIN)) },
		.directory = r->directory,
		.number = s->tally * 1000000 + number,
		.drawn = s->drawn > 0 ? s->drawn : DRAWN,
		.states_max = s->states > t->states ? s->states - t->states : 0,
		.reread_each = 32,
		.revive_each = s->is_control ? 0 : 2000,
		.is_quiet = s->is_control,
		.is_flipped = s->is_flipped,
	};

	(void)snprintf(path, sizeof path, "%s/%d.db", r->directory, o.number);
	trial_run(&o, t);
}

static void work(const run *r, const series *s)
{
	const tally *t = &r->shared->tallies[s->tally];

	while (t->states < s->states) {
		int number = r->shared->next++;

		if (s->workloads > 0 && number >= s->workloads)
			break;
		try_one(r, s, number);
	}
}

/* In processes, since SQLite is set up anew in each of them. */
static void work_together(run *r, const series *s)
{
	pid_t children[PROCESS_MAX];
	int status, broken = 0;

	r->shared->next = 0;
	(void)fflush(stdout);
	for (int i = 0; i < r->process_count; i++) {
		children[i] = fork();
		if (children[i] != 0)
			continue;
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		image_vfs_install();
		recorder_install();
		work(r, s);
		(void)fflush(stdout);
		_exit(0);
	}
	for (int i = 0; i < r->process_count; i++)
		if (waitpid(children[i], &status, 0) < 0 || status != 0)
			broken++;
	r->shared->tallies[s->tally].broken += (uint64_t)broken;
	if (broken > 0)
		(void)printf("%s: %d processes ended by themselves\n", s->name, broken);
}

static void count(run *r, bool is_right)
{
	r->passed += is_right;
	r->failed += !is_right;
}

static void tell_tally(const series *s, const tally *t, double took_s)
{
	(void)printf("%s: %llu workloads, %llu operations on files, %llu acknowledgements, %llu "
		     "commits; %llu states judged, %llu distinct, %llu of an older commit than the "
		     "newest; %llu read row by row, %llu worked off by the library; %.0f s, %.0f "
		     "states/s\n",
		     s->name, (unsigned long long)t->workloads, (unsigned long long)t->operations,
		     (unsigned long long)t->acknowledgements, (unsigned long long)t->versions,
		     (unsigned long long)t->states, (unsigned long long)t->distinct,
		     (unsigned long long)t->older, (unsigned long long)t->reread,
		     (unsigned long long)t->revived, took_s, (double)t->states / took_s);
	for (int f = 1; f < FAULT_COUNT; f++)
		if (t->faults[f] > 0)
			(void)printf("%s: %llu times %s\n", s->name,
				     (unsigned long long)t->faults[f], fault_name((fault)f));
	if (t->unrevived > 0 || t->broken > 0)
		(void)printf("%s: %llu not worked off, %llu workloads broken off\n", s->name,
			     (unsigned long long)t->unrevived, (unsigned long long)t->broken);
}

static void run_series(run *r, const series *s)
{
	const tally *t = &r->shared->tallies[s->tally];
	double began = now_s();

	work_together(r, s);
	tell_tally(s, t, now_s() - began);
	if (s->is_control)
		return;
	(void)printf("proof: power: %llu disk states at level %s (%llu distinct, of %llu workloads "
		     "with %llu commits and %llu acknowledgements): %llu acknowledgements at level "
		     "disk lost, %llu states corrupt, %llu as no commit left them, %llu other "
		     "violations\n",
		     (unsigned long long)t->states,
		     s->level == DURABILITY_DISK ? "disk" : "process",
		     (unsigned long long)t->distinct, (unsigned long long)t->workloads,
		     (unsigned long long)t->versions, (unsigned long long)t->acknowledgements,
		     (unsigned long long)t->lost, (unsigned long long)t->faults[FAULT_UNREADABLE],
		     (unsigned long long)t->faults[FAULT_TORN],
		     (unsigned long long)(tally_faults(t) - t->faults[FAULT_LOST] -
					  t->faults[FAULT_UNREADABLE] - t->faults[FAULT_TORN]));
	(void)printf("proof: power: %llu disk states at level %s opened by the library as after a "
		     "reboot: %llu with steps not worked off or tokens given twice\n",
		     (unsigned long long)t->revived,
		     s->level == DURABILITY_DISK ? "disk" : "process",
		     (unsigned long long)t->unrevived);
	count(r, tally_faults(t) == 0 && t->states >= s->states);
	count(r, t->revived > 0 && t->unrevived == 0);
}

static void run_control(run *r, series s, fault wanted, const char *what)
{
	const tally *t = &r->shared->tallies[s.tally];
	uint64_t found;

	s.is_control = true;
	s.states = CONTROL_STATES;
	s.workloads = CONTROL_WORKLOADS;
	run_series(r, &s);
	found = t->faults[wanted];
	(void)printf("proof: power: control: %s: %llu %s in %llu states: %s\n", what,
		     (unsigned long long)found, fault_name(wanted), (unsigned long long)t->states,
		     found > 0 ? "found" : "NOT FOUND");
	count(r, found > 0);
}

static void run_controls(run *r)
{
	run_control(r,
		    (series){ .name = "control: hasty",
			      .tally = 2,
			      .level = DURABILITY_DISK,
			      .flags = WORKLOAD_HASTY },
		    FAULT_LOST, "a store that says disk and does not wait for it");
	run_control(r,
		    (series){ .name = "control: deaf disk",
			      .tally = 3,
			      .level = DURABILITY_DISK,
			      .flags = WORKLOAD_DEAF },
		    FAULT_UNREADABLE, "a disk that does not keep what it confirms");
	run_control(r,
		    (series){ .name = "control: lying",
			      .tally = 4,
			      .level = DURABILITY_DISK,
			      .flags = WORKLOAD_LYING },
		    FAULT_UNFOUNDED, "acknowledgements before the commit");
	run_control(r,
		    (series){ .name = "control: flipped",
			      .tally = 5,
			      .level = DURABILITY_DISK,
			      .is_flipped = true },
		    FAULT_TORN, "one bit of the database changed");
}

static const tally *run_syncs(run *r, const char *name, int tally_number, unsigned flags)
{
	const series s = { .name = name,
			   .tally = tally_number,
			   .level = DURABILITY_DISK,
			   .states = UINT64_MAX,
			   .workloads = SYNC_WORKLOADS,
			   .flags = flags,
			   /* Behind the opening many moments follow. */
			   .drawn = (flags & WORKLOAD_ANEW) != 0 ? FEW_DRAWN : DRAWN,
			   .is_sync_failing = true };
	const tally *t = &r->shared->tallies[tally_number];
	double began = now_s();

	work_together(r, &s);
	tell_tally(&s, t, now_s() - began);
	return t;
}

static void run_failing_syncs(run *r)
{
	const tally *t = run_syncs(r, "failing syncs", 6, 0);

	(void)printf(
		"proof: power: %llu workloads in which a sync failed, one of the first %d, in "
		"each another: %llu calls refused behind it, %llu that said something is durable; "
		"%llu disk states: %llu violations\n",
		(unsigned long long)t->struck, SYNC_WORKLOADS, (unsigned long long)t->refused,
		(unsigned long long)t->untrue, (unsigned long long)t->states,
		(unsigned long long)tally_faults(t));
	count(r, tally_faults(t) == 0 && t->struck > 0 && t->refused > 0);
}

/* What the disk lacks behind a failed sync the system still shows to whoever opens the file next. */
static void run_openings_anew(run *r)
{
	const tally *t = run_syncs(r, "opened anew", 7, WORKLOAD_ANEW);

	(void)printf("proof: power: %llu workloads in which the file was opened anew behind a "
		     "failed sync, in the same boot, while the disk lacks what that sync lost: "
		     "%llu acknowledgements from there on; %llu disk states: %llu "
		     "acknowledgements at level disk lost, %llu states corrupt, %llu as no commit "
		     "left them, %llu other violations\n",
		     (unsigned long long)t->anew, (unsigned long long)t->anew_acks,
		     (unsigned long long)t->states, (unsigned long long)t->lost,
		     (unsigned long long)t->faults[FAULT_UNREADABLE],
		     (unsigned long long)t->faults[FAULT_TORN],
		     (unsigned long long)(tally_faults(t) - t->faults[FAULT_LOST] -
					  t->faults[FAULT_UNREADABLE] - t->faults[FAULT_TORN]));
	count(r, tally_faults(t) == 0 && t->anew > 0 && t->anew_acks > 0);
}

static bool is_wanted(const char *part, const char *name)
{
	return part == NULL || strcmp(part, name) == 0;
}

static void torture(run *r, uint64_t states, const char *part)
{
	if (is_wanted(part, "control"))
		run_controls(r);
	if (is_wanted(part, "syncs"))
		run_failing_syncs(r);
	if (is_wanted(part, "anew"))
		run_openings_anew(r);
	if (is_wanted(part, "disk"))
		run_series(r, &(series){ .name = "level disk",
					 .tally = 0,
					 .level = DURABILITY_DISK,
					 .states = states,
					 .is_mixed = true });
	if (is_wanted(part, "process"))
		run_series(r, &(series){ .name = "level process",
					 .tally = 1,
					 .level = DURABILITY_DISK - 1,
					 .states = states / 5,
					 .is_mixed = true });
}

int main(int argc, char **argv)
{
	const char *place = getenv("TMPDIR");
	run r = { .seed = (uint64_t)getpid(), .process_count = (int)sysconf(_SC_NPROCESSORS_ONLN) };

	if (argc < 2 || argc > 5 || strtoull(argv[1], NULL, 10) == 0) {
		(void)fprintf(stderr, "usage: power STATES [SEED [PROCESSES [PART]]]\n");
		return 2;
	}
	if (argc > 2)
		r.seed = strtoull(argv[2], NULL, 10);
	if (argc > 3)
		r.process_count = (int)strtol(argv[3], NULL, 10);
	if (r.process_count < 1 || r.process_count > PROCESS_MAX)
		r.process_count = 1;
	/* In memory where that is possible: what is synced here is not what is asked. */
	if (place == NULL)
		place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(r.directory, sizeof r.directory, "%s/stepbus-power-XXXXXX", place);
	r.shared = mmap(NULL, sizeof *r.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (r.shared == MAP_FAILED || mkdtemp(r.directory) == NULL)
		return 1;
	(void)printf("power: seed %llu, %d processes, in %s\n", (unsigned long long)r.seed,
		     r.process_count, r.directory);
	torture(&r, strtoull(argv[1], NULL, 10), argc > 4 ? argv[4] : NULL);
	(void)printf("%d passed, %d failed\n", r.passed, r.failed);
	if (r.failed == 0 && rmdir(r.directory) != 0)
		(void)printf("left over: %s\n", r.directory);
	return r.failed > 0;
}
