/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/journal.h"

#include <stdlib.h>
#include <string.h>

#include "bindings/node/src/trouble.h"

enum { WAITING_COUNT_MAX = 1024 };

struct sbn_journal {
	napi_threadsafe_function log;
};

typedef struct record {
	size_t len;
	char text[];
} record;

/* On the environment's thread; env is NULL where that is going away. */
static void deliver(napi_env env, napi_value log, void *context, void *data)
{
	record *entry = data;
	napi_value receiver;
	napi_value text;

	(void)context;
	if (env != NULL && napi_get_undefined(env, &receiver) == napi_ok &&
	    napi_create_string_utf8(env, entry->text, entry->len, &text) == napi_ok)
		napi_call_function(env, receiver, log, 1, &text, NULL);
	free(entry);
}

void sbn_journal_write(sbn_journal *journal, const char *text, size_t len)
{
	record *entry = malloc(sizeof *entry + len);

	if (entry == NULL)
		return;
	entry->len = len;
	memcpy(entry->text, text, len);
	if (napi_call_threadsafe_function(journal->log, entry, napi_tsfn_nonblocking) != napi_ok)
		free(entry);
}

sbn_journal *sbn_journal_new(napi_env env, napi_value log)
{
	sbn_journal *journal = calloc(1, sizeof *journal);
	napi_value name;

	if (journal == NULL) {
		sbn_throw_memory(env);
		return NULL;
	}
	if (napi_create_string_utf8(env, "stepbus.log", NAPI_AUTO_LENGTH, &name) != napi_ok ||
	    napi_create_threadsafe_function(env, log, NULL, name, WAITING_COUNT_MAX, 1, NULL, NULL,
					    NULL, deliver, &journal->log) != napi_ok) {
		free(journal);
		sbn_throw_napi(env);
		return NULL;
	}
	/* A program that has nothing else to do may end. */
	napi_unref_threadsafe_function(env, journal->log);
	return journal;
}

void sbn_journal_free(sbn_journal *journal)
{
	if (journal == NULL)
		return;
	napi_release_threadsafe_function(journal->log, napi_tsfn_release);
	free(journal);
}
