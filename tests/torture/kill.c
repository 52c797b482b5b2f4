/* SPDX-License-Identifier: MIT */
/*
 * Processes that share a database are killed, or stopped for longer than their lease, over and over;
 * then all that is left is worked off in peace, and the checker (torture/history) reads what they saw:
 *
 *   kill KILLS [SEED]         SIGKILL, at any moment and at named points (kill/points.h)
 *   kill stall STALLS [SEED]  SIGSTOP for 1.2 to 5 leases, at any moment and at named points
 *   kill life STRIDE          SIGKILL at every call of a life, or every STRIDE-th (kill/life.h)
 *   kill poison ROUNDS        handlers and hosts that do the worst they can (kill/poison.h)
 *   kill guests KILLS [SEED]  workers in Python and Node among them (kill/guest.h)
 *   kill guests control [SEED]  guests that do not do what they note
 *   kill control [SEED]       the negative control: a store that is tampered with meanwhile
 *   kill judge DIRECTORY      judges a run that was kept once more
 *   kill ROLE …               the roles (kill/roles.h), by which it starts itself
 *
 * There are pool workers, pull workers, enqueuers, an operator who cancels, redrives and pauses, and
 * a client who looks for steps that others were acknowledged. A process that is stopped inside of a
 * transaction holds up all others until it goes on: they wait for up to busy_timeout_ms, lose their
 * leases meanwhile, and must notice it.
 */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture/history/damage.h"
#include "torture/history/observer.h"
#include "torture/history/rules.h"
#include "torture/kill/guest.h"
#include "torture/kill/guests.h"
#include "torture/kill/life.h"
#include "torture/kill/nemesis.h"
#include "torture/kill/poison.h"
#include "torture/kill/report.h"
#include "torture/kill/roles.h"

enum {
	QUIET_MAX_S = 60,
	STALLED_MAX = 6,
	CONTROL_KILLS = 60,
	LIAR_KILLS = 6,
	GUEST_UNSTARTED_PERCENT = 100,
	GUEST_PAUSE_MAX_US = 300000, /* an interpreter takes its time to begin */
	STUCK_S = 120,
	KILLS_ENOUGH = 60,
	STALLS_ENOUGH = 100
};

/* How far a run has come, and since when. */
typedef struct progress {
	long count;
	int64_t since_us;
} progress;

/* Whether there was one more not too long ago; children that end at once would leave none to strike. */
static bool goes_on(nemesis *n, progress *p, long count, const char *what)
{
	int64_t now_us = observer_now_us();

	if (count != p->count || p->since_us == 0)
		*p = (progress){ count, now_us };
	if (now_us - p->since_us < (int64_t)STUCK_S * 1000000)
		return true;
	(void)fprintf(stderr, "given up: no %s for %d s\n", what, STUCK_S);
	n->is_stuck = true;
	return false;
}

static void rage(nemesis *n, long kills)
{
	progress p = { 0, 0 };
	long said = 0;

	while (n->kills + n->point_kills < kills &&
	       goes_on(n, &p, n->kills + n->point_kills, "kill")) {
		nemesis_keep_alive(n);
		nemesis_strike(n);
		if (n->guest_count > 0)
			nemesis_stall(n, 1);
		if ((n->kills + n->point_kills) / 1000 > said)
			(void)fprintf(stderr, "%ld kills\n", ++said * 1000);
	}
}

static void hold_up(nemesis *n, long stalls)
{
	progress p = { 0, 0 };
	long said = 0;

	while (n->stalls < stalls && goes_on(n, &p, n->stalls, "stall")) {
		nemesis_keep_alive(n);
		nemesis_stall(n, STALLED_MAX);
		if (n->stalls / 100 > said)
			(void)fprintf(stderr, "%ld stalls\n", ++said * 100);
	}
}

/* How many steps are not final yet; -1: nobody knows. */
static int64_t count_open(const nemesis *n)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	int64_t count = -1;

	if (sqlite3_open_v2(n->database, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, "SELECT count(*) FROM state WHERE state NOT IN (6, 7, 8, 9)", -1,
			       &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		count = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(db);
	return count;
}

static void drain(nemesis *n)
{
	int64_t until_us = observer_now_us() + (int64_t)QUIET_MAX_S * 1000000;
	int64_t open = -1;

	nemesis_rest(n);
	nemesis_dismiss(n, "enqueuer");
	nemesis_dismiss(n, "operator");
	nemesis_dismiss(n, "client");
	nemesis_dismiss(n, "saboteur");
	/* One that was killed may have left a queue paused. */
	(void)nemesis_run(n, "resumer");
	while (open != 0 && observer_now_us() < until_us) {
		nemesis_keep_alive(n);
		role_pause_us(50000);
		open = count_open(n);
	}
	nemesis_dismiss(n, NULL);
	if (open != 0)
		(void)fprintf(stderr, "%ld steps are still open\n", open);
	if (!nemesis_run(n, "counter"))
		(void)fprintf(stderr, "the steps could not be counted\n");
}

/*
 * Of what a run must have seen something: else that nothing was violated says nothing. It has no
 * steps that depend on others, no undisturbed waits and no bridge that is counted; stalls have no
 * client; and what few steps meet is not asked of a short run.
 */
static rule_set wanted_of(const nemesis *n, const char *what)
{
	const rule_set rare =
		RULE_BIT(RULE_Q3_ONE_STEP_OF_A_KEY) | RULE_BIT(RULE_Q7_STALE_IS_REFUSED) |
		RULE_BIT(RULE_Q9_NO_THEFT) | RULE_BIT(RULE_Q11_NOT_BEFORE_ITS_TIME) |
		RULE_BIT(RULE_Q12_CANCELLED_IS_OVER) | RULE_BIT(RULE_Q19_OWN_WRITES_ARE_READ) |
		RULE_BIT(RULE_PROGRESS_IS_KEPT) | RULE_BIT(RULE_UNRUN_IS_NOT_BLAMED) |
		RULE_BIT(RULE_CRASHES_QUARANTINE);
	const rule_set wanted = RULES_ALL & ~RULE_BIT(RULE_Q10_DEPENDENCIES_FIRST) &
				~RULE_BIT(RULE_Q16_NOBODY_STARVES) &
				~RULE_BIT(RULE_Q17_BRIDGE_ADDS_UP);

	if (what != NULL && strcmp(what, "kill") == 0)
		return n->kills + n->point_kills < KILLS_ENOUGH ? wanted & ~rare : wanted;
	if (what != NULL && strcmp(what, "stall") == 0)
		return n->stalls < STALLS_ENOUGH ? wanted & ~rare :
						   wanted & ~RULE_BIT(RULE_Q19_OWN_WRITES_ARE_READ);
	if (what != NULL && strcmp(what, "guests") == 0)
		return wanted & ~rare;
	return 0;
}

static int judge(const nemesis *n, const char *what)
{
	int passed = 0, failed = 0, missed = 0, found = 0;
	verdict v = { 0 };
	history h;

	if (!history_read(&h, n->log, n->database)) {
		(void)printf("0 passed, 1 failed\n");
		return 1;
	}
	/* The bindings poll some at a time, and what is polled counts as begun. */
	if (guests_are_in(&h))
		h.limits.unstarted_percent = GUEST_UNSTARTED_PERCENT;
	rules_judge(&h, &v);
	rules_print(&v, wanted_of(n, what), &passed, &failed);
	failed += n->is_stuck;
	if (what != NULL)
		report_run(n, &h, what, &v);
	if (what != NULL && strcmp(what, "guests") == 0)
		guests_report(n, &h, failed, &passed, &failed);
	damage_all(&h, &found, &missed);
	history_free(&h);
	/* What of a history cannot be told from the truth depends on the run: it is no failure of it. */
	(void)printf("damages found in this history: %d of %d\n", found, found + missed);
	(void)printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}

static int conclude(nemesis *n, const char *what)
{
	int status;

	drain(n);
	status = judge(n, what);
	if (status == 0)
		nemesis_clear(n);
	else
		(void)printf("kept: %s\n", n->directory);
	return status;
}

static void add_all(nemesis *n)
{
	nemesis_add(n, "worker", 3);
	nemesis_add(n, "puller", 2);
	nemesis_add(n, "enqueuer", 2);
	nemesis_add(n, "operator", 1);
	nemesis_add(n, "client", 1);
}

static int torture(const char *program, long kills, uint32_t seed)
{
	nemesis n;

	if (!nemesis_open(&n, program, seed))
		return 1;
	(void)printf("seed %u: %ld kills, in %s\n", seed, kills, n.directory);
	(void)fflush(stdout);
	add_all(&n);
	rage(&n, kills);
	return conclude(&n, "kill");
}

static int stall(const char *program, long stalls, uint32_t seed)
{
	nemesis n;

	if (!nemesis_open(&n, program, seed))
		return 1;
	(void)printf("seed %u: %ld stalls, in %s\n", seed, stalls, n.directory);
	(void)fflush(stdout);
	nemesis_add(&n, "worker", 5);
	nemesis_add(&n, "puller", 4);
	nemesis_add(&n, "enqueuer", 1);
	nemesis_add(&n, "operator", 1);
	hold_up(&n, stalls);
	return conclude(&n, "stall");
}

/* What the saboteur does must be found: steps that are gone, results, what was accepted, final steps. */
static int control(const char *program, uint32_t seed)
{
	static const rule wanted[] = { RULE_Q1_NOTHING_IS_LOST, RULE_Q4_ONE_COMPLETION,
				       RULE_Q5_ACCEPTED_IS_DURABLE, RULE_Q13_FINAL_IS_FINAL };
	verdict v = { .is_quiet = true };
	int found = 0, wanted_count = sizeof wanted / sizeof *wanted;
	nemesis n;
	history h;

	if (!nemesis_open(&n, program, seed))
		return 1;
	(void)printf("seed %u: %d kills and a saboteur, in %s\n", seed, CONTROL_KILLS, n.directory);
	(void)fflush(stdout);
	add_all(&n);
	nemesis_add(&n, "saboteur", 1);
	rage(&n, CONTROL_KILLS);
	drain(&n);
	if (history_read(&h, n.log, n.database))
		rules_judge(&h, &v);
	if (n.is_stuck)
		(void)printf("the run did not come to its end\n");
	for (int i = 0; i < wanted_count; i++) {
		found += v.violations[wanted[i]] > 0;
		(void)printf("%-48s %zu violations\n", rule_name(wanted[i]),
			     v.violations[wanted[i]]);
	}
	history_free(&h);
	nemesis_clear(&n);
	(void)printf("proof: kill control: a store is tampered with while processes die: %d of %d "
		     "rules say so\n",
		     found, wanted_count);
	(void)printf("%d passed, %d failed\n", found, wanted_count - found);
	return found < wanted_count;
}

static int play_with_guests(const char *program, long kills, uint32_t seed)
{
	nemesis n;

	if (!guest_can_play() || !nemesis_open(&n, program, seed)) {
		(void)printf("0 passed, 1 failed\n");
		return 1;
	}
	(void)printf("seed %u: %ld kills, with guests, in %s\n", seed, kills, n.directory);
	(void)fflush(stdout);
	n.pause_max_us = GUEST_PAUSE_MAX_US;
	nemesis_add(&n, GUEST_PYTHON, 2);
	nemesis_add(&n, GUEST_NODE, 2);
	nemesis_add(&n, "worker", 1);
	nemesis_add(&n, "puller", 1);
	nemesis_add(&n, "enqueuer", 1);
	nemesis_add(&n, "operator", 1);
	nemesis_add(&n, "client", 1);
	rage(&n, kills);
	return conclude(&n, "guests");
}

/* What a liar does must be found: results that are not there, others than it noted, other inputs. */
static int catch_liar(const char *program, const char *liar, uint32_t seed)
{
	static const rule wanted[] = { RULE_Q5_ACCEPTED_IS_DURABLE, RULE_Q4_ONE_COMPLETION,
				       RULE_Q20_NO_BYTES_CHANGE };
	verdict v = { .is_quiet = true };
	int found = 0;
	nemesis n;
	history h;

	if (!nemesis_open(&n, program, seed))
		return 0;
	n.pause_max_us = GUEST_PAUSE_MAX_US;
	nemesis_add(&n, liar, 3);
	nemesis_add(&n, "worker", 1);
	nemesis_add(&n, "puller", 1);
	nemesis_add(&n, "enqueuer", 1);
	rage(&n, LIAR_KILLS);
	drain(&n);
	if (history_read(&h, n.log, n.database))
		rules_judge(&h, &v);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		found += v.violations[wanted[i]] > 0;
		(void)printf("%-12s %-48s %zu violations\n", liar, rule_name(wanted[i]),
			     v.violations[wanted[i]]);
	}
	history_free(&h);
	nemesis_clear(&n);
	return found;
}

static int control_guests(const char *program, uint32_t seed)
{
	int found = 0;

	if (!guest_can_play()) {
		(void)printf("0 passed, 1 failed\n");
		return 1;
	}
	(void)printf("seed %u: guests that lie\n", seed);
	(void)fflush(stdout);
	found += catch_liar(program, GUEST_PYTHON_LIAR, seed);
	found += catch_liar(program, GUEST_NODE_LIAR, seed + 1);
	(void)printf(
		"proof: kill guests control: workers in Python and in Node that note a result they "
		"did not hand in, another one, or another input: %d of 6 lies found\n",
		found);
	(void)printf("%d passed, %d failed\n", found, 6 - found);
	return found < 6;
}

static int play(const role_entry *part, char **argv)
{
	char database[NEMESIS_PATH_LEN + 16], log[NEMESIS_PATH_LEN + 16];
	char page[NEMESIS_PATH_LEN + 16], records[NEMESIS_PATH_LEN + 16];
	const role_options options = { .database_path = database,
				       .log_path = log,
				       .page_path = page,
				       .place = (int)strtol(argv[4], NULL, 10),
				       .process = (int32_t)strtol(argv[3], NULL, 10) };

	(void)snprintf(database, sizeof database, "%s/jobs.db", argv[2]);
	(void)snprintf(log, sizeof log, "%s/log", argv[2]);
	(void)snprintf(page, sizeof page, "%s/page", argv[2]);
	(void)snprintf(records, sizeof records, "%s/points", argv[2]);
	observer_open(log, options.process);
	points_join(page, records, options.place);
	return part->play(&options);
}

static int poison_all(const char *program, long rounds)
{
	int passed = 0, failed = poison_run(program, rounds, &passed);

	(void)printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}

static int life(const char *program, int stride)
{
	int passed = 0, failed = life_run(program, stride, &passed);

	(void)printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}

static int judge_again(const char *directory)
{
	nemesis n = { .program = NULL };

	(void)snprintf(n.database, sizeof n.database, "%s/jobs.db", directory);
	(void)snprintf(n.log, sizeof n.log, "%s/log", directory);
	return judge(&n, NULL);
}

static uint32_t seed_of(int argc, char **argv, int at)
{
	return argc > at ? (uint32_t)strtoul(argv[at], NULL, 10) : (uint32_t)getpid();
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

	if (argc == 5 && role_find(argv[1]) != NULL)
		return play(role_find(argv[1]), argv);
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "stall") == 0 &&
	    strtol(argv[2], NULL, 10) > 0)
		return stall(argv[0], strtol(argv[2], NULL, 10), seed_of(argc, argv, 3));
	if ((argc == 2 || argc == 3) && count > 0)
		return torture(argv[0], count, seed_of(argc, argv, 2));
	if (argc == 4 && strncmp(argv[1], "poison-", 7) == 0)
		return poison_play(argv[1], argv[2], strtoul(argv[3], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "poison") == 0 && strtol(argv[2], NULL, 10) > 0)
		return poison_all(argv[0], strtol(argv[2], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "life") == 0 && strtol(argv[2], NULL, 10) > 0)
		return life(argv[0], (int)strtol(argv[2], NULL, 10));
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "guests") == 0 &&
	    strcmp(argv[2], "control") == 0)
		return control_guests(argv[0], seed_of(argc, argv, 3));
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "guests") == 0 &&
	    strtol(argv[2], NULL, 10) > 0)
		return play_with_guests(argv[0], strtol(argv[2], NULL, 10), seed_of(argc, argv, 3));
	if ((argc == 2 || argc == 3) && strcmp(argv[1], "control") == 0)
		return control(argv[0], seed_of(argc, argv, 2));
	if (argc == 3 && strcmp(argv[1], "judge") == 0)
		return judge_again(argv[2]);
	(void)fprintf(
		stderr,
		"usage: kill KILLS [SEED] | kill stall STALLS [SEED] | kill life STRIDE |"
		" kill poison ROUNDS | kill guests KILLS [SEED] | kill guests control [SEED] |"
		" kill control [SEED] | kill judge DIRECTORY\n");
	return 2;
}
