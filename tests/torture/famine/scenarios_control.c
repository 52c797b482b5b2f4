/* SPDX-License-Identifier: MIT */
/* Faults that are planted, each of which has to be found: what finds nothing proves nothing. */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "torture/famine/world.h"

#define FAMINE_NOTES_CALLS
#include "torture/famine/calls.h"

/* Two blocks of the host's own, as a library would ask for them. */
static stepbus_status ask(famine_world *w, char **blocks)
{
	famine_call("stepbus_open");
	blocks[0] = malloc(16);
	blocks[1] = blocks[0] != NULL ? malloc(16) : NULL;
	if (blocks[1] != NULL)
		return STEPBUS_OK;
	(void)snprintf(w->err.message, sizeof w->err.message, "cannot do it: out of memory");
	return STEPBUS_ENOMEM;
}

static void give_back(char **blocks)
{
	free(blocks[0]);
	free(blocks[1]);
}

static stepbus_status leak_where_it_fails(famine_world *w)
{
	char *blocks[2];
	stepbus_status status = ask(w, blocks);

	if (status == STEPBUS_OK)
		give_back(blocks);
	return status;
}

static stepbus_status leak_a_descriptor(famine_world *w)
{
	char *blocks[2];
	stepbus_status status = ask(w, blocks);

	give_back(blocks);
	if (status != STEPBUS_OK && dup(STDIN_FILENO) < 0)
		famine_breach(w, "no descriptor");
	return status;
}

static stepbus_status answer_wrongly(famine_world *w)
{
	char *blocks[2];
	stepbus_status status = ask(w, blocks);

	give_back(blocks);
	return status == STEPBUS_OK ? STEPBUS_OK : STEPBUS_ECORRUPT;
}

static stepbus_status say_nothing(famine_world *w)
{
	char *blocks[2];
	stepbus_status status = ask(w, blocks);

	give_back(blocks);
	w->err.message[0] = '\0';
	return status;
}

static stepbus_status crash(famine_world *w)
{
	char *blocks[2];
	stepbus_status status = ask(w, blocks);

	/* As if the block had been there. */
	*(volatile char *)blocks[0] = 'x';
	give_back(blocks);
	return status;
}

static stepbus_status hang(famine_world *w)
{
	char *blocks[2];
	stepbus_status status = ask(w, blocks);

	give_back(blocks);
	if (status != STEPBUS_OK)
		(void)alarm(1);
	while (status != STEPBUS_OK)
		;
	return status;
}

static stepbus_status never_mend(famine_world *w)
{
	char *blocks[2];
	stepbus_status status = ask(w, blocks);

	give_back(blocks);
	return w->turn > 1 ? STEPBUS_ENOMEM : status;
}

/* Acknowledges a step that is not there. */
static stepbus_status lose(famine_world *w)
{
	const stepbus_step_spec spec = famine_spec("echo", "x");
	const uint8_t nothing[16] = { 1 };

	if (famine_put(w, &spec) != STEPBUS_OK)
		famine_acknowledge(w, nothing);
	return STEPBUS_OK;
}

/* Enqueues one more behind the ledger's back when it is done again. */
static stepbus_status double_it(famine_world *w)
{
	const stepbus_step_spec spec = famine_spec("echo", "x");

	if (w->turn > 1)
		FAMINE_TRY(stepbus_step_enqueue(w->engine, &spec, 1, NULL, &w->err));
	return famine_put(w, &spec);
}

static stepbus_status run_twice(famine_world *w)
{
	char *blocks[2];
	stepbus_status status = ask(w, blocks);

	give_back(blocks);
	if (status != STEPBUS_OK) {
		w->runs[0] = w->runs[1] = (struct famine_ran){ { 1 }, 1 };
		w->run_count = 2;
	}
	return status;
}

static const famine_scenario controls[] = {
	{ "a leak", 0, 0, leak_where_it_fails, NULL, NULL },
	{ "a leak, cold", FAMINE_COLD, 0, leak_where_it_fails, NULL, NULL },
	{ "a descriptor left open", 0, 0, leak_a_descriptor, NULL, NULL },
	{ "a wrong status", 0, 0, answer_wrongly, NULL, NULL },
	{ "no message", 0, 0, say_nothing, NULL, NULL },
	{ "a crash", 0, 0, crash, NULL, NULL },
	{ "a crash, cold", FAMINE_COLD, 0, crash, NULL, NULL },
	{ "a hang", 0, 0, hang, NULL, NULL },
	{ "not to be done again", 0, 0, never_mend, NULL, NULL },
	{ "a lost step", FAMINE_ENGINE, 0, lose, NULL, NULL },
	{ "a step too many", FAMINE_ENGINE, 0, double_it, NULL, NULL },
	{ "an attempt run twice", 0, 0, run_twice, NULL, NULL },
};
FAMINE_SCENARIOS(famine_controls, controls);
