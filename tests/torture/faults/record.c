/* SPDX-License-Identifier: MIT */
#include "torture/faults/record.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "include/stepbus.h"

record *record_new(void)
{
	void *memory = mmap(NULL, sizeof(record), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory != MAP_FAILED ? memory : NULL;
}

void record_free(record *r)
{
	(void)munmap(r, sizeof *r);
}

void record_clear(record *r)
{
	uint32_t count = atomic_load(&r->step_count);

	if (count > RECORD_STEP_MAX)
		count = RECORD_STEP_MAX;
	memset(r, 0, offsetof(record, steps) + count * sizeof r->steps[0]);
}

void record_complain(record *r, const char *format, ...)
{
	va_list arguments;

	if (atomic_exchange(&r->has_trouble, 1) != 0)
		return;
	va_start(arguments, format);
	(void)vsnprintf(r->trouble, sizeof r->trouble, format, arguments);
	va_end(arguments);
}

int record_begin_step(record *r, char input[RECORD_INPUT_LEN])
{
	uint32_t place = atomic_load(&r->step_count);

	if (place >= RECORD_STEP_MAX)
		return -1;
	atomic_store(&r->steps[place].enqueued, SAID_UNSURE);
	atomic_store(&r->step_count, place + 1);
	(void)snprintf(input, RECORD_INPUT_LEN, "n%u", place);
	return (int)place;
}

int record_place_of(const record *r, const void *input, uint64_t len)
{
	char text[RECORD_INPUT_LEN] = "";
	long place;
	size_t kept = len < sizeof text - 1 ? (size_t)len : sizeof text - 1;

	if (len < 2)
		return -1;
	memcpy(text, input, kept);
	if (text[0] != 'n')
		return -1;
	place = strtol(text + 1, NULL, 10);
	return place >= 0 && place < (long)atomic_load(&r->step_count) ? (int)place : -1;
}

said record_said_of(int32_t status)
{
	switch (status) {
	case STEPBUS_OK:
		return SAID_OK;
	case STEPBUS_ENOMEM:
	case STEPBUS_ENOSPACE:
	case STEPBUS_EBUSY:
	case STEPBUS_EREADONLY:
	case STEPBUS_EINVAL:
	case STEPBUS_ESHUTDOWN:
		return SAID_REFUSED;
	default:
		return SAID_UNSURE;
	}
}

typedef struct judge {
	record *record;
	uint32_t seen[RECORD_STEP_MAX];
	bool is_wrong;
} judge;

#define complain(j, ...)                                   \
	do {                                               \
		(j)->is_wrong = true;                      \
		record_complain((j)->record, __VA_ARGS__); \
	} while (0)

static void judge_row(judge *j, sqlite3_stmt *row)
{
	const char *state = (const char *)sqlite3_column_text(row, 1);
	const char *result = (const char *)sqlite3_column_text(row, 3);
	const record_step *step;
	int place = record_place_of(j->record, sqlite3_column_blob(row, 2),
				    (uint64_t)sqlite3_column_bytes(row, 2));

	if (place < 0) {
		complain(j, "a step is there that nobody enqueued");
		return;
	}
	step = &j->record->steps[place];
	j->seen[place]++;
	if (atomic_load(&step->enqueued) == SAID_REFUSED)
		complain(j, "step n%d was refused, with nothing changed, and is there", place);
	if ((atomic_load(&step->ok_count) > 0 || atomic_load(&step->event_count) > 0) &&
	    strcmp(state, "completed") != 0)
		complain(j, "step n%d was completed (%u accepted, token %llu; %u told), and is %s",
			 place, atomic_load(&step->ok_count),
			 (unsigned long long)atomic_load(&step->ok_token),
			 atomic_load(&step->event_count), state);
	if (atomic_load(&step->cancelled) == SAID_OK && strcmp(state, "cancelled") != 0)
		complain(j, "step n%d was cancelled, and is %s", place, state);
	if (atomic_load(&step->ok_count) > 0 &&
	    (result == NULL || strtoull(result + 1, NULL, 10) != atomic_load(&step->ok_token)))
		complain(j, "step n%d has not the result that was accepted: %s", place,
			 result != NULL ? result : "none");
}

static void judge_steps(judge *j)
{
	for (uint32_t i = 0; i < atomic_load(&j->record->step_count); i++) {
		const record_step *step = &j->record->steps[i];

		if (j->seen[i] > 1)
			complain(j, "step n%u is there %u times", i, j->seen[i]);
		if (atomic_load(&step->enqueued) == SAID_OK && j->seen[i] == 0)
			complain(j, "step n%u was acknowledged, and is not there", i);
		if (atomic_load(&step->ok_count) > 1 || atomic_load(&step->event_count) > 1)
			complain(j, "step n%u was completed more than once", i);
	}
}

static bool read_all(judge *j, sqlite3 *db)
{
	static const char soundness[] = "PRAGMA integrity_check(1)";
	static const char steps[] = "SELECT uuid, state, input, result FROM v_steps";
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, soundness, -1, &statement, NULL);

	if (code != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
		complain(j, "the file cannot be read: %s", sqlite3_errmsg(db));
	else if (strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0)
		complain(j, "the file is damaged: %s", sqlite3_column_text(statement, 0));
	(void)sqlite3_finalize(statement);
	if (j->is_wrong || sqlite3_prepare_v2(db, steps, -1, &statement, NULL) != SQLITE_OK)
		return false;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		judge_row(j, statement);
	(void)sqlite3_finalize(statement);
	return code == SQLITE_DONE;
}

/* A file whose opening failed may have no tables yet; then nothing may have been acknowledged. */
static bool has_tables(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	bool has = sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_master WHERE name = 'v_steps'", -1,
				      &statement, NULL) != SQLITE_OK ||
		   sqlite3_step(statement) != SQLITE_DONE;

	(void)sqlite3_finalize(statement);
	return has;
}

bool record_judge(record *r, const char *path)
{
	judge *j = calloc(1, sizeof *j);
	sqlite3 *db = NULL;
	bool is_right;

	if (j == NULL)
		return false;
	j->record = r;
	/* Written to as by a client that may: a log that was left over is read, and not thrown away. */
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		complain(j, "the file cannot be opened: %s", sqlite3_errmsg(db));
	else if (has_tables(db) && !read_all(j, db))
		complain(j, "the steps cannot be read: %s", sqlite3_errmsg(db));
	if (db != NULL)
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(db);
	judge_steps(j);
	is_right = !j->is_wrong;
	free(j);
	return is_right;
}
