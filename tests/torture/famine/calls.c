/* SPDX-License-Identifier: MIT */
#include "torture/famine/calls.h"

#include <stdio.h>
#include <string.h>

#include "torture/famine/allocator.h"

enum { HEADER_LEN_MAX = 256 * 1024, COMMENT_LEN_MAX = 4096, STATUS_MAX = 64, ROUND_MAX = 8 };

static famine_calls *table;
static char header[HEADER_LEN_MAX];
static _Thread_local const char *last = "";
/* Of this point: what was called while memory could run out. */
static _Atomic(bool) is_called[FAMINE_CALL_MAX];

static const char store_words[] =
	"STEPBUS_ESTORE STEPBUS_ENOSPACE STEPBUS_EREADONLY STEPBUS_ECORRUPT STEPBUS_EBUSY";

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static uint64_t statuses_in(const char *text)
{
	uint64_t found = 0;

	for (int32_t i = 1; i < STATUS_MAX; i++) {
		const char *name = stepbus_status_name(i);
		size_t len = strlen(name);

		for (const char *at = text; (at = strstr(at, name)) != NULL; at += len)
			if (!is_word(at[len]))
				found |= UINT64_C(1) << i;
	}
	return found;
}

static size_t index_of(const char *name, size_t len)
{
	for (size_t i = 0; i < table->count; i++)
		if (strlen(table->functions[i].name) == len &&
		    memcmp(table->functions[i].name, name, len) == 0)
			return i;
	return table->count;
}

/* What the functions may answer that a comment refers to: "those of stepbus_x". */
static uint64_t statuses_referred(const char *text)
{
	uint64_t found = 0;

	for (const char *at = text; (at = strstr(at, "stepbus_")) != NULL;) {
		size_t len = 0;
		size_t i;

		while (is_word(at[len]))
			len++;
		i = index_of(at, len);
		if (i < table->count)
			found |= table->functions[i].documented;
		at += len;
	}
	return found;
}

/* The part "errors" of the comment before a declaration; empty where there is none. */
static void copy_errors(const char *declaration, char text[COMMENT_LEN_MAX])
{
	const char *begin = declaration;
	const char *errors, *end;
	size_t len = 0;

	while (begin > header && strncmp(begin, "/**", 3) != 0)
		begin--;
	errors = strstr(begin, " * errors ");
	end = strstr(begin, " * since ");
	if (errors != NULL && end != NULL && errors < end && end < declaration)
		len = (size_t)(end - errors);
	if (len >= COMMENT_LEN_MAX)
		len = COMMENT_LEN_MAX - 1;
	if (len > 0)
		memcpy(text, errors, len);
	text[len] = '\0';
}

static void read_errors(size_t i, const char *declaration)
{
	char text[COMMENT_LEN_MAX];
	uint64_t found;

	copy_errors(declaration, text);
	found = statuses_in(text) | statuses_referred(text);
	if (strstr(text, "of the store") != NULL)
		found |= statuses_in(store_words);
	/* stepbus_bridge_publish_name says in its first line which two they are. */
	if (strstr(text, "those of both") != NULL)
		found |= statuses_referred("stepbus_bridge_event stepbus_bridge_publish ");
	table->functions[i].documented |= found;
}

/* The name before the first parenthesis behind STEPBUS_API. */
static void read_name(const char *declaration)
{
	const char *end = strchr(declaration, '(');
	const char *begin = end;

	if (end == NULL || table->count == FAMINE_CALL_MAX)
		return;
	while (is_word(begin[-1]))
		begin--;
	if (end - begin < FAMINE_NAME_LEN)
		memcpy(table->functions[table->count++].name, begin, (size_t)(end - begin));
}

bool famine_calls_read(famine_calls *calls)
{
	FILE *file = fopen("include/stepbus.h", "r");

	table = calls;
	if (file == NULL)
		return false;
	header[fread(header, 1, sizeof header - 1, file)] = '\0';
	(void)fclose(file);
	for (const char *at = header; (at = strstr(at, "\nSTEPBUS_API ")) != NULL; at++)
		read_name(at + 1);
	/* A comment may refer to one that refers to another. */
	for (int round = 0; round < ROUND_MAX; round++) {
		size_t i = 0;

		for (const char *at = header; (at = strstr(at, "\nSTEPBUS_API ")) != NULL; at++)
			read_errors(i++, at + 1);
	}
	return table->count > 0;
}

void famine_call(const char *name)
{
	size_t i = index_of(name, strlen(name));

	if (i == table->count)
		return;
	/* What answers no status (and so may tidy up behind one that does) is not the one to blame. */
	if (table->functions[i].documented != 0)
		last = table->functions[i].name;
	if (famine_is_armed())
		atomic_store(&is_called[i], true);
}

void famine_calls_end(uint64_t asked_count, uint64_t failed_count)
{
	for (size_t i = 0; i < table->count; i++) {
		if (!atomic_exchange(&is_called[i], false))
			continue;
		if (failed_count > 0)
			atomic_fetch_add(&table->functions[i].called_count, 1);
		else if (asked_count == 0)
			atomic_fetch_add(&table->functions[i].frugal_count, 1);
	}
}

const char *famine_calls_last(void)
{
	return last;
}

bool famine_calls_may_answer(const char *name, stepbus_status status)
{
	size_t i = index_of(name, strlen(name));

	return i < table->count && status > 0 && status < STATUS_MAX &&
	       (table->functions[i].documented >> status & 1) != 0;
}

size_t famine_calls_print_missing(const famine_calls *calls, size_t *frugal_count)
{
	size_t count = 0;

	*frugal_count = 0;
	for (size_t i = 0; i < calls->count; i++) {
		if (atomic_load(&calls->functions[i].called_count) > 0)
			continue;
		if (atomic_load(&calls->functions[i].frugal_count) > 0) {
			(void)printf("%s asks for no memory\n", calls->functions[i].name);
			++*frugal_count;
			continue;
		}
		(void)printf("%s is called in no run in which memory runs out\n",
			     calls->functions[i].name);
		count++;
	}
	return count;
}
