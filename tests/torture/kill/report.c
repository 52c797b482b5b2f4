/* SPDX-License-Identifier: MIT */
#include "torture/kill/report.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/stepbus.h"
#include "torture/kill/symbols.h"

enum { LINE_LEN = 1024 };

/*
 * What a process was about, by the functions on its stack, the innermost first; the first of these
 * that is found counts.
 */
static const struct work {
	const char *name;
	const char *function;
} works[] = {
	{ "checkpointing the log", "sb_sqlite_wal_tend" },
	{ "checkpointing the log", "sb_sqlite_wal_finish" },
	{ "making or migrating the schema", "sb_sqlite_schema_migrate" },
	{ "taking over from the dead", "sb_reap_run" },
	{ "claiming", "sb_claim_all" },
	{ "settling", "sb_settle_run" },
	{ "enqueueing", "sb_enqueue_run" },
	{ "renewing leases", "sb_enlist_renew" },
	{ "beginning a transaction", "sb_sqlite_transaction_begin" },
	{ "committing", "sb_sqlite_transaction_commit" },
	{ "rolling back", "sb_sqlite_transaction_rollback" },
	{ "noting what is begun", "sb_start_log_create" },
	{ "opening the store", "sb_sqlite_store_open" },
	{ "opening the engine", "sb_engine_open" },
	{ "closing the store", "sb_sqlite_open_close" },
	{ "starting a worker", "sb_worker_start" },
	{ "stopping a worker", "sb_worker_stop" },
	{ "closing the engine", "sb_engine_close" },
	{ "reading", "sb_sqlite_enter_reader" },
	{ "reading", "sb_sqlite_reader_step_list" },
	{ "reading", "sb_step_reader_list" },
	{ "reading", "sb_step_reader_info" },
	{ "sweeping, and all else inside", "run_transaction" },
	{ "between transactions", "run_group" },
	{ "the clockwork", "run_now" },
	{ "waking and waiting", "sb_writer_perform" },
};

enum { WORK_COUNT = sizeof works / sizeof *works };

typedef struct records {
	char **lines; /* without signal and phase: call, file, side, stack */
	size_t count;
	size_t distinct_count;
	size_t calls_of_files; /* distinct by call, file and side alone */
	size_t functions;      /* of the library, from which a call was made */
	size_t by_work[WORK_COUNT + 1];
} records;

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* How long the first words of a line are. */
static size_t words_len(const char *line, int count)
{
	size_t len = 0;

	for (int words = 0; line[len] != '\0'; len++)
		if (line[len] == ' ' && ++words == count)
			break;
	return len;
}

/* "signal call file side phase stack", of which signal and phase are left out. */
static void add_line(records *r, const char *line, int wanted)
{
	char *words = NULL;
	long signal = strtol(line, &words, 10);
	size_t len = strlen(line) + 1, head, behind;
	char *kept = malloc(len);

	if ((r->count & (r->count - 1)) == 0)
		r->lines = realloc(r->lines, (r->count == 0 ? 1 : 2 * r->count) * sizeof(char *));
	if (kept == NULL || r->lines == NULL)
		abort();
	if (signal != wanted || *words != ' ') {
		free(kept);
		return;
	}
	words++;
	head = words_len(words, 3);
	behind = words_len(words, 4);
	(void)snprintf(kept, len, "%.*s%s", (int)head, words, words + behind);
	r->lines[r->count++] = kept;
}

/* The first of the works whose function is on the line's stack. */
static void note_work(records *r, const symbols *s, const char *line)
{
	size_t work = WORK_COUNT;
	const char *at = line;

	while ((at = strstr(at, " p")) != NULL) {
		const char *name = symbols_find(s, strtoul(at + 2, NULL, 16) - 1);

		at += 2;
		for (size_t i = 0; name != NULL && i < work; i++)
			if (strcmp(works[i].function, name) == 0)
				work = i;
	}
	r->by_work[work]++;
}

static void count_all(records *r, const symbols *s)
{
	const char *functions[512] = { NULL };

	if (r->count == 0)
		return;
	qsort(r->lines, r->count, sizeof(char *), compare_lines);
	for (size_t i = 0; i < r->count; i++) {
		const char *line = r->lines[i], *before = i > 0 ? r->lines[i - 1] : "";
		const char *own = strstr(line, " p");
		const char *name =
			own == NULL ? NULL : symbols_find(s, strtoul(own + 2, NULL, 16) - 1);
		size_t k = 0;

		note_work(r, s, line);
		if (strcmp(line, before) == 0)
			continue;
		r->distinct_count++;
		r->calls_of_files += words_len(line, 3) != words_len(before, 3) ||
				     strncmp(line, before, words_len(line, 3)) != 0;
		while (name != NULL && k < r->functions && functions[k] != name)
			k++;
		if (name != NULL && k == r->functions && k < sizeof functions / sizeof *functions)
			functions[r->functions++] = name;
	}
}

static void free_records(records *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->lines[i]);
	free(r->lines);
}

static void read_records(records *r, const char *path, int signal)
{
	FILE *file = fopen(path, "re");
	char line[LINE_LEN + 1];

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		add_line(r, line, signal);
	if (file != NULL)
		(void)fclose(file);
}

size_t report_points(const char *records_path, int signal, size_t *count)
{
	records r = { 0 };
	symbols *s = symbols_read();
	size_t distinct_count;

	read_records(&r, records_path, signal);
	count_all(&r, s);
	symbols_free(s);
	distinct_count = r.distinct_count;
	(void)printf("%zu times at a point: %zu distinct call stacks, %zu kinds of (call, file, "
		     "before or behind), called from %zu functions of the library\n",
		     r.count, r.distinct_count, r.calls_of_files, r.functions);
	for (size_t i = 0; i <= WORK_COUNT; i++)
		if (r.by_work[i] > 0)
			(void)printf("  %-34s %zu\n", i < WORK_COUNT ? works[i].name : "else",
				     r.by_work[i]);
	*count = r.count;
	free_records(&r);
	return distinct_count;
}

static size_t count(const history *h, char kind, int64_t wanted)
{
	size_t found = 0;

	for (size_t i = 0; i < h->event_count; i++)
		found += h->events[i].kind == kind &&
			 (wanted < 0 || h->events[i].b == wanted ||
			  (kind == LOG_ANSWERED && h->events[i].c == wanted));
	return found;
}

static size_t count_answers(const history *h, int64_t status)
{
	size_t found = 0;

	for (size_t i = 0; i < h->event_count; i++)
		found += h->events[i].kind == LOG_ANSWERED && h->events[i].c == status;
	return found;
}

/* Other acknowledgements say that the step of the key is there already. */
static size_t count_new_steps(const history *h)
{
	size_t found = 0;

	for (size_t i = 0; i < h->event_count; i++)
		found += h->events[i].kind == LOG_ENQUEUED && h->events[i].d == 0;
	return found;
}

void report_run(const nemesis *n, const history *h, const char *what, const verdict *v)
{
	bool is_stall = strcmp(what, "stall") == 0;
	size_t points, point_count;
	char rules[RULES_TEXT_LEN];

	rules_tell(v, rules, sizeof rules);
	(void)printf("%zu events; %zu steps, %zu acknowledgements, %zu starts, %zu completions; "
		     "%zu leases lost\n",
		     h->event_count, h->step_count, count(h, LOG_ENQUEUED, -1),
		     count(h, LOG_STARTED, -1), count(h, LOG_COMPLETED, -1),
		     count(h, LOG_LOST, -1));
	(void)printf("%zu cancelled, %zu redriven, %zu resumed at a checkpoint, %zu looked for "
		     "again; answers: %zu stale, %zu cancelled\n",
		     count(h, LOG_CANCELLED, STEPBUS_OK), count(h, LOG_REDRIVEN, STEPBUS_OK),
		     count(h, LOG_RESUMED, -1), count(h, LOG_SEEN, -1),
		     count_answers(h, STEPBUS_ESTALE), count_answers(h, STEPBUS_ECANCELLED));
	(void)printf("%ld kills at any moment, %ld at a named point, %ld by handlers; %ld ended as "
		     "told; %ld stalls, %ld at a named point, %ld killed in them\n",
		     n->kills, n->point_kills, n->handler_kills, n->ends, n->stalls,
		     n->point_stalls, n->stalled_kills);
	points = report_points(n->records, is_stall ? SIGSTOP : SIGKILL, &point_count);
	if (is_stall)
		(void)printf("proof: stall: %ld stalls of 1.2 to 5 leases (%zu at %zu distinct "
			     "points), %zu leases lost, %zu late answers refused: %s\n",
			     n->stalls, point_count, points, count(h, LOG_LOST, -1),
			     count_answers(h, STEPBUS_ESTALE), rules);
	else if (strcmp(what, "kill") == 0)
		(void)printf(
			"proof: kill: %ld kills (%zu at %zu distinct points) of %d processes on "
			"one file, %zu steps acknowledged: %s\n",
			n->kills + n->point_kills, point_count, points, n->player_count,
			count_new_steps(h), rules);
}
