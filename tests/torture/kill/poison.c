/* SPDX-License-Identifier: MIT */
/* The supervisor of all rows of a round, and their judge. Opens no engine. */
#include "torture/kill/poison.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/utf8.h"
#include "support/flat_directory.h"
#include "torture/history/observer.h"
#include "torture/kill/roles.h"

enum {
	HOST_MAX = 2,
	ROW_MAX = 64,
	ROUND_MAX_US = 90000000,
	LAST_WAIT_US = 6000000,
	TEXT_LEN = 512
};

typedef struct game {
	const poison *row;
	char directory[POISON_PATH_LEN];
	pid_t hosts[HOST_MAX]; /* 0: none */
	pid_t client;
	bool is_stopped[HOST_MAX];
	int64_t go_on_us[HOST_MAX];
	int deaths;
	bool is_over; /* the client has seen all end */
	bool has_failed;
	bool is_else; /* as documented, but not as usual */
} game;

static pid_t start(const char *program, const char *part, const game *g)
{
	char row[16];
	pid_t pid;

	(void)snprintf(row, sizeof row, "%zu", (size_t)(g->row - poisons));
	pid = fork();
	if (pid == 0) {
		(void)execl(program, program, part, g->directory, row, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void blame(game *g, const char *what, int value)
{
	(void)fprintf(stderr, "%s: %s (%d)\n", g->row->name, what, value);
	g->has_failed = true;
}

static void note_host(game *g, int i, int status)
{
	if (WIFSTOPPED(status)) {
		g->is_stopped[i] = true;
		g->go_on_us[i] = observer_now_us() + g->row->go_on_after_ms * 1000;
		return;
	}
	g->hosts[i] = 0;
	g->is_stopped[i] = false;
	if (WIFEXITED(status) && WEXITSTATUS(status) >= 90)
		blame(g, "a host could not start", WEXITSTATUS(status));
	/* Once all is over hosts end because they are told to. */
	g->deaths += !g->is_over;
}

static void reap(game *games)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0)
		for (size_t k = 0; k < poison_count; k++) {
			game *g = &games[k];

			for (int i = 0; i < HOST_MAX; i++)
				if (g->hosts[i] == pid)
					note_host(g, i, status);
			if (g->client != pid)
				continue;
			g->client = 0;
			g->is_over = true;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				blame(g, "the client did not see all steps end", status);
		}
}

static int host_count(const game *g)
{
	return g->row->host_count > 0 ? g->row->host_count : 1;
}

/* A host that was let go on may still have to tell what it hears. */
static bool is_on_its_way(const game *g)
{
	for (int i = 0; i < HOST_MAX; i++)
		if (g->is_stopped[i])
			return true;
	return !g->is_over;
}

static void see_to(const char *program, game *g)
{
	for (int i = 0; i < host_count(g); i++) {
		if (g->hosts[i] == 0 && !g->is_over)
			g->hosts[i] = start(program, "poison-host", g);
		if (g->is_stopped[i] && observer_now_us() >= g->go_on_us[i]) {
			g->is_stopped[i] = false;
			(void)kill(g->hosts[i], SIGCONT);
		}
	}
}

static bool see_to_all(const char *program, game *games)
{
	bool is_on = false;

	reap(games);
	for (size_t k = 0; k < poison_count; k++) {
		see_to(program, &games[k]);
		is_on = is_on || is_on_its_way(&games[k]);
	}
	return is_on;
}

static bool has_hosts(const game *games)
{
	for (size_t k = 0; k < poison_count; k++)
		for (int i = 0; i < HOST_MAX; i++)
			if (games[k].hosts[i] != 0)
				return true;
	return false;
}

static void send_all(const game *games, int number)
{
	for (size_t k = 0; k < poison_count; k++)
		for (int i = 0; i < HOST_MAX; i++)
			if (games[k].hosts[i] != 0)
				(void)kill(games[k].hosts[i], number);
}

/* Whoever is still in a handler that never asks is killed in the end. */
static void end_all(game *games)
{
	int64_t until_us = observer_now_us() + LAST_WAIT_US;

	role_pause_us(500000);
	for (size_t k = 0; k < poison_count; k++) {
		if (games[k].client == 0)
			continue;
		blame(&games[k], "the round took too long", 0);
		games[k].is_over = true;
		(void)kill(games[k].client, SIGKILL);
	}
	send_all(games, SIGTERM);
	send_all(games, SIGCONT);
	while (has_hosts(games) && observer_now_us() < until_us) {
		role_pause_us(2000);
		reap(games);
	}
	send_all(games, SIGKILL);
	while (has_hosts(games)) {
		role_pause_us(2000);
		reap(games);
	}
}

static void read_facts(const game *g, char *facts, size_t len)
{
	char path[POISON_PATH_LEN + 16];
	size_t count;
	FILE *file;

	facts[0] = '\0';
	(void)snprintf(path, sizeof path, "%s/facts", g->directory);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	count = fread(facts, 1, len - 1, file);
	facts[count] = '\0';
	for (size_t i = 0; i < count; i++)
		if (facts[i] == '\n')
			facts[i] = ' ';
	(void)fclose(file);
}

static bool is_same(const char *text, const char *wanted)
{
	return (text == NULL || wanted == NULL) ? text == wanted : strcmp(text, wanted) == 0;
}

/* What a query gives must be that text, or the other, where there is one. */
static void expect_either(game *g, sqlite3 *db, const char *sql, const char *wanted,
			  const char *or_else)
{
	sqlite3_stmt *statement = NULL;
	const char *text = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(statement, 0);
	g->is_else = g->is_else || !is_same(text, wanted);
	if (!is_same(text, wanted) && (or_else == NULL || !is_same(text, or_else))) {
		(void)fprintf(stderr, "%s: %s gives %s instead of %s\n", g->row->name, sql,
			      text != NULL ? text : "nothing", wanted != NULL ? wanted : "nothing");
		g->has_failed = true;
	}
	(void)sqlite3_finalize(statement);
}

static void expect(game *g, sqlite3 *db, const char *sql, const char *wanted)
{
	expect_either(g, db, sql, wanted, NULL);
}

static void judge_message(game *g, sqlite3 *db)
{
	static const char sql[] = "SELECT message FROM v_attempts WHERE step_id = "
				  "(SELECT id FROM v_steps WHERE handler = 'poison')";
	sqlite3_stmt *statement = NULL;
	const char *text = NULL;
	int len = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW) {
		text = (const char *)sqlite3_column_text(statement, 0);
		len = sqlite3_column_bytes(statement, 0);
	}
	if (text == NULL || len < 8000 || len > 8192 || !sb_utf8_is_valid(text, (size_t)len))
		blame(g, "the message was not mended, or is not there", len);
	(void)sqlite3_finalize(statement);
}

static void judge_store(game *g, sqlite3 *db)
{
	const poison *row = g->row;

	expect(g, db, "SELECT state FROM v_steps WHERE handler = 'poison'", row->state);
	expect_either(
		g, db,
		"SELECT group_concat(outcome, ' ') FROM (SELECT outcome FROM v_attempts WHERE "
		"step_id = (SELECT id FROM v_steps WHERE handler = 'poison') ORDER BY token)",
		row->attempts, row->attempts_else);
	expect(g, db,
	       "SELECT error_type FROM v_attempts WHERE step_id = (SELECT id FROM v_steps "
	       "WHERE handler = 'poison') ORDER BY token DESC LIMIT 1",
	       row->error);
	expect_either(g, db, "SELECT hex(result) FROM v_steps WHERE handler = 'poison'",
		      row->result != NULL ? row->result : "", row->result_else);
	expect(g, db,
	       "SELECT count(*) FROM v_steps WHERE handler = 'work' AND state = 'completed' "
	       "AND result = input",
	       "20");
	expect(g, db, "SELECT count(*) FROM v_steps", "21");
	expect(g, db, "PRAGMA integrity_check", "ok");
	if (row->is_message_mended)
		judge_message(g, db);
}

static void judge(game *g)
{
	char path[POISON_PATH_LEN + 16], facts[TEXT_LEN];
	sqlite3 *db = NULL;

	(void)snprintf(path, sizeof path, "%s/jobs.db", g->directory);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
		judge_store(g, db);
	else
		blame(g, "there is no store", 0);
	(void)sqlite3_close(db);
	read_facts(g, facts, sizeof facts);
	if (!is_same(facts, g->row->facts != NULL ? g->row->facts : "") &&
	    !is_same(facts, g->row->facts_else)) {
		(void)fprintf(stderr, "%s: told: %s\n", g->row->name, facts);
		g->has_failed = true;
	}
	if (g->deaths != g->row->deaths)
		blame(g, "so many processes have ended", g->deaths);
}

static void begin(const char *program, game *g, const poison *row)
{
	const char *parent = getenv("TMPDIR");

	*g = (game){ .row = row };
	(void)snprintf(g->directory, sizeof g->directory, "%s/stepbus-poison-XXXXXX",
		       parent != NULL && *parent != '\0' ? parent : "/tmp");
	if (mkdtemp(g->directory) == NULL)
		abort();
	g->client = start(program, "poison-client", g);
}

static int play_round(const char *program, int *failed_of, int *else_of, int *passed)
{
	static game games[ROW_MAX];
	int64_t until_us = observer_now_us() + ROUND_MAX_US;
	int failed = 0;

	for (size_t k = 0; k < poison_count; k++)
		begin(program, &games[k], &poisons[k]);
	while (see_to_all(program, games) && observer_now_us() < until_us)
		role_pause_us(5000);
	end_all(games);
	for (size_t k = 0; k < poison_count; k++) {
		game *g = &games[k];

		judge(g);
		failed += g->has_failed;
		failed_of[k] += g->has_failed;
		else_of[k] += g->is_else && !g->has_failed;
		*passed += !g->has_failed;
		if (!g->has_failed)
			(void)test_directory_clear(g->directory);
		else
			(void)printf("kept: %s\n", g->directory);
	}
	return failed;
}

int poison_run(const char *program, long rounds, int *passed)
{
	int failed_of[ROW_MAX] = { 0 }, else_of[ROW_MAX] = { 0 }, failed = 0;
	sigset_t end;

	/* The hosts inherit it, and ask for it by sigwait. */
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &end, NULL);
	for (long i = 0; i < rounds; i++)
		failed += play_round(program, failed_of, else_of, passed);
	for (size_t k = 0; k < poison_count; k++)
		(void)printf("%-44s %-12s %-30s %ld of %ld, %d otherwise\n", poisons[k].name,
			     poisons[k].state, poisons[k].attempts, rounds - failed_of[k], rounds,
			     else_of[k]);
	(void)printf(
		"proof: poison: %zu kinds of poison, %ld times each, beside 20 innocent steps: "
		"%d of %ld runs not as documented\n",
		poison_count, rounds, failed, rounds * (long)poison_count);
	return failed;
}
