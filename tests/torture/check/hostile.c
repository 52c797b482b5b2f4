/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture/check/files.h"
#include "torture/check/made.h"
#include "torture/check/self.h"
#include "torture/history/damage.h"

enum { MADE_ROUNDS = 2, CUT_COUNT = 400 };

static const struct bad_log {
	const char *name;
	const char *text;
	bool is_read;
} logs[] = {
	{ "empty", "", true },
	{ "one line", "R 1 1 0 0 0 0\n", true },
	{ "no blank", "R1 1 0 0 0 0\n", false },
	{ "too few numbers", "R 1 1 0 0 0\n", false },
	{ "too many numbers", "R 1 1 0 0 0 0 0\n", false },
	{ "letters", "R 1 1 0 x 0 0\n", false },
	{ "no number", "R 1 1 0 - 0 0\n", false },
	{ "a number that is too large", "R 1 1 0 9223372036854775808 0 0\n", false },
	{ "a number that is far too large", "R 1 1 0 99999999999999999999999 0 0\n", false },
	{ "the largest number", "R 1 1 9223372036854775807 -9223372036854775807 0 0\n", true },
	{ "a process that is too large", "R 1 4294967296 0 0 0 0\n", false },
	{ "an empty line", "\nR 1 1 0 0 0 0\n", false },
	{ "torn, though nobody was killed", "R 1 1 0 0 0 0\nS 1 1 0", false },
	{ "torn, and somebody was killed", "Z 1 1 0 0 0 0\nS 1 1 0", true },
	{ "torn in its number", "Z 1 1 0 0 0 0\nS 1 1 0 0 0 1", true },
	{ "torn in the middle", "Z 1 1 0 0 0 0\nS 1 1 0\nR 1 1 0 0 0 0\n", false },
	{ "a kind that nobody knows", "? 1 1 0 0 0 0\n", true },
	{ "a strange outcome", "E 1 1 5 5 -77 0\nA 1 1 5 5 0 0\nD 1 1 5 5 99 0\n", true },
	{ "answers to nobody", "W 1 1 5 0 0 0\nO 1 1 5 0 0 0\nA 1 1 5 5 0 0\n", true },
};

static void judge(const history *h)
{
	verdict v = { .is_quiet = true };

	rules_judge(h, &v);
}

static void test_logs(score *s, const files *f)
{
	for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
		history h;
		bool is_read;

		files_write(f->log, logs[i].text, strlen(logs[i].text));
		is_read = history_read(&h, f->log, NULL);
		if (is_read)
			judge(&h);
		self_expect(s, is_read == logs[i].is_read, "log", logs[i].name);
		history_free(&h);
	}
}

/* Each is put behind the tables, which it changes. */
static const struct bad_database {
	const char *name;
	const char *sql;
	bool is_read;
} databases[] = {
	{ "nothing in it", "", true },
	{ "no steps", "DROP TABLE step", false },
	{ "no view of steps", "DROP TABLE v_steps", false },
	{ "no attempts", "DROP TABLE v_attempts", false },
	{ "a column is missing", "ALTER TABLE v_steps DROP COLUMN result", false },
	{ "all is NULL",
	  "INSERT INTO v_steps (id) VALUES (1); INSERT INTO step VALUES (1, NULL);"
	  "INSERT INTO state VALUES (1, NULL)",
	  true },
	{ "text where there are numbers",
	  "INSERT INTO v_steps VALUES (1, 'zz', 'n', 5, 'x', 'y', 'n t', 'z');"
	  "INSERT INTO step VALUES (1, 7); INSERT INTO state VALUES (1, 3);"
	  "INSERT INTO v_attempts VALUES ('a', 'b', 'c', 'd', 'e')",
	  true },
	{ "numbers where there is text",
	  "INSERT INTO v_steps VALUES (1, 1.5, 2, 3, 9e99, -9e99, 4, 5);"
	  "INSERT INTO step VALUES (1, 7); INSERT INTO state VALUES (1, -9223372036854775808);"
	  "INSERT INTO v_attempts VALUES (1, -9223372036854775808, 4, 5, 6)",
	  true },
	{ "blobs, zeros and numbers without end",
	  "INSERT INTO v_steps VALUES (1, x'00ff00', x'6e00', x'63', -1, 1 << 40, x'7400', x'');"
	  "INSERT INTO v_steps VALUES (2, 'ffffffff-ffff', 'n99999999999999999999',"
	  " 'completed', 1, 1, 't99999999999999999999 n-', 1);"
	  "INSERT INTO step VALUES (1, x'00'), (2, '...k99999999999999999999');"
	  "INSERT INTO state VALUES (1, 1), (2, 9223372036854775807);"
	  "INSERT INTO v_attempts VALUES (x'00', x'ff', zeroblob(100000), NULL, x'')",
	  true },
	{ "rows that are there twice",
	  "DROP TABLE v_steps; CREATE VIEW v_steps AS SELECT 1 AS id, '00000000-0001' AS uuid,"
	  " 'n1' AS input, 'completed' AS state, 1 AS attempt_count, 0 AS crash_count,"
	  " 'n1 t1' AS result, 1 AS priority UNION ALL SELECT 1, '00000000-0001', 'n1', 'failed',"
	  " 1, 0, NULL, 1; INSERT INTO step VALUES (1, NULL); INSERT INTO state VALUES (1, 1)",
	  true },
};

static void test_databases(score *s, const files *f)
{
	files_write(f->log, "R 1 1 0 0 0 0\n", 14);
	for (size_t i = 0; i < sizeof databases / sizeof *databases; i++) {
		char sql[4000];
		history h;
		bool is_read;

		(void)snprintf(sql, sizeof sql, "%s%s", files_schema, databases[i].sql);
		files_make_database(f, sql);
		is_read = history_read(&h, f->log, f->database);
		if (is_read)
			judge(&h);
		self_expect(s, is_read == databases[i].is_read, "database", databases[i].name);
		history_free(&h);
	}
}

static char *slurp(const char *path, size_t *len)
{
	FILE *file = fopen(path, "r");
	char *data = malloc(1 << 22);

	if (file == NULL || data == NULL)
		abort();
	*len = fread(data, 1, 1 << 22, file);
	(void)fclose(file);
	return data;
}

/* Cut off, and with bytes changed: read or not, but judged without harm. */
static void test_damaged(score *s, const char *path, const files *f, const char *name)
{
	size_t len, reads = 0;
	char *data = slurp(path, &len);
	uint32_t random = 1;

	for (int i = 0; i < CUT_COUNT; i++) {
		size_t kept = i % 2 == 0 ? len * (size_t)i / CUT_COUNT : len;
		char *changed = malloc(len);
		history h;

		if (changed == NULL)
			abort();
		memcpy(changed, data, len);
		for (int k = 0; i % 2 == 1 && k < 1 + i % 7; k++) {
			random = random * 1664525 + 1013904223;
			changed[random % len] = (char)(random >> 13);
		}
		files_write(path, changed, kept);
		free(changed);
		if (history_read(&h, f->log, f->database)) {
			judge(&h);
			reads++;
		}
		history_free(&h);
	}
	files_write(path, data, len);
	free(data);
	self_expect(s, reads < CUT_COUNT, "damaged files", name);
}

static void test_real(score *s, const files *f)
{
	history h, read;
	int found = 0, missed = 0;
	verdict v = { 0 };
	maker m;

	maker_begin(&m, &h);
	for (size_t i = 0; i < MADE_ROUNDS * made_story_count(); i++)
		maker_tell(&m, i + made_story_count());
	maker_end(&m);
	files_write_log(f, &h);
	files_write_database(f, &h);
	self_expect(s, history_read(&read, f->log, f->database), "files", "they are read");
	rules_judge(&read, &v);
	self_expect(s, rules_violations(&v) == 0, "files", "they are not blamed");
	self_expect(s, damage_all(&read, &found, &missed) <= 1 && missed == 0, "files",
		    "what was read can be damaged in all ways but one, which needs more of it");
	history_free(&read);
	history_free(&h);
	test_damaged(s, f->log, f, "log");
	test_damaged(s, f->database, f, "database");
}

void hostile_test(score *s)
{
	int told = dup(STDERR_FILENO);
	files f = { 0 };

	/* What is wrong is told there, hundreds of times. */
	if (told < 0 || freopen("/dev/null", "w", stderr) == NULL)
		abort();
	files_open(&f);
	test_logs(s, &f);
	test_databases(s, &f);
	test_real(s, &f);
	files_close(&f);
	(void)fflush(stderr);
	(void)dup2(told, STDERR_FILENO);
	(void)close(told);
}
