/* SPDX-License-Identifier: MIT */
/* What must be so when all is over: what the library says of each step is what was accepted. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "sim/sim/chronicle.h"

enum {
	TEXT_LEN = 64,
	RECORD_MAX = 64,
	STATE_COUNT = STEPBUS_STEP_QUARANTINED + 1,
	INTEGRITY_EVERY = 16
};

static stepbus *any_engine(const sim *s)
{
	for (int i = 0; i < s->world.process_count; i++)
		if (s->world.processes[i].is_up)
			return s->world.processes[i].engine;
	return NULL;
}

static int32_t outcome_of(int state)
{
	switch (state) {
	case STEPBUS_STEP_COMPLETED:
		return STEPBUS_OUTCOME_SUCCESS;
	case STEPBUS_STEP_CANCELLED:
		return STEPBUS_OUTCOME_CANCELLED;
	case STEPBUS_STEP_QUARANTINED:
		return STEPBUS_OUTCOME_QUARANTINED;
	default:
		return STEPBUS_OUTCOME_FAILURE;
	}
}

/* Its outcome, by the library's own word. */
static void judge_outcome(sim *s, stepbus *engine, int step)
{
	const sim_step *st = &s->steps[step];
	stepbus_outcome *outcome = NULL;
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status = stepbus_step_await(engine, st->id, 0, &outcome, &err);
	const stepbus_completion *c = stepbus_outcome_completion(outcome);
	char result[TEXT_LEN];

	(void)snprintf(result, sizeof result, "%d", st->result);
	if (status != STEPBUS_OK)
		sim_violate(s, step, "Q5", "its outcome is not to be had: %s", err.message);
	else if (c->outcome != outcome_of(st->row.state))
		sim_violate(s, step, "Q5", "its outcome is told as %d", c->outcome);
	else if (c->outcome == STEPBUS_OUTCOME_SUCCESS &&
		 (c->result_len != strlen(result) || memcmp(c->result, result, c->result_len) != 0))
		sim_violate(s, step, "Q4", "its result is '%.*s' where '%s' was accepted",
			    (int)c->result_len, (const char *)c->result, result);
	stepbus_outcome_free(outcome);
}

typedef struct records {
	size_t count;
	struct {
		int64_t token;
		int32_t outcome;
	} list[RECORD_MAX];
} records;

static bool note_record(void *context, const sb_attempt_row *row, sb_slice worker)
{
	records *r = context;

	(void)worker;
	r->list[r->count].token = row->token;
	r->list[r->count++].outcome = row->outcome;
	return r->count < RECORD_MAX;
}

static int32_t find_record(const records *r, int64_t token)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->list[i].token == token)
			return r->list[i].outcome;
	return 0;
}

static bool is_record_right(const sim_attempt *a, int32_t outcome)
{
	switch (a->ending) {
	case SIM_ENDED_ANSWERED:
		if (a->outcome == STEPBUS_OUTCOME_FAILURE)
			return outcome == SB_ATTEMPT_FAILURE;
		return a->outcome != STEPBUS_OUTCOME_SNOOZE || outcome == SB_ATTEMPT_SNOOZED;
	case SIM_ENDED_LOST:
		return outcome == SB_ATTEMPT_LOST;
	case SIM_ENDED_LATE:
		return outcome == SB_ATTEMPT_TIMED_OUT || outcome == SB_ATTEMPT_LOST;
	case SIM_ENDED_CANCELLED:
		return outcome == SB_ATTEMPT_CANCELLED;
	case SIM_ENDED_NOT:
	default:
		return true;
	}
}

static void judge_records(sim *s, stepbus *engine, int step)
{
	records r = { 0 };

	if (engine->store->type->attempt_list(engine->store, s->steps[step].row.id, note_record, &r,
					      NULL) != STEPBUS_OK)
		sim_violate(s, step, "Q15", "its attempts cannot be listed");
	for (int i = 0; i < s->attempt_count && r.count < RECORD_MAX; i++) {
		const sim_attempt *a = &s->attempts[i];

		if (a->step == step && !is_record_right(a, find_record(&r, a->token)))
			sim_violate(s, step, "Q15",
				    "attempt %lld, which ended as %d, is recorded as %d",
				    (long long)a->token, a->ending, find_record(&r, a->token));
	}
}

/* Each is told once where somebody listened; not of a process that has ended since. */
static void judge_told(sim *s)
{
	for (int i = 0; i < s->attempt_count; i++) {
		const sim_attempt *a = &s->attempts[i];
		const sim_process *p =
			a->kept_process > 0 ? &s->world.processes[a->kept_process - 1] : NULL;
		bool is_due = p != NULL && p->is_up && p->life == a->kept_life &&
			      p->is_listened_to && a->outcome != STEPBUS_OUTCOME_RELEASE;

		if (a->told_count > 1 || (is_due && a->told_count != 1))
			sim_violate(s, a->step, "Q17", "the end of attempt %lld was told %d times",
				    (long long)a->token, a->told_count);
		if (a->told_count == 1 && a->outcome != 0 && a->told_outcome != a->outcome)
			sim_violate(s, a->step, "Q17",
				    "attempt %lld ended as %d and was told as %d",
				    (long long)a->token, a->outcome, a->told_outcome);
	}
}

/* What the library counts is what there is. */
static void judge_counts(sim *s, stepbus *engine)
{
	static const char *const names[STATE_COUNT] = {
		[STEPBUS_STEP_COMPLETED] = "{\"state\":\"completed\"}",
		[STEPBUS_STEP_FAILED] = "{\"state\":\"failed\"}",
		[STEPBUS_STEP_CANCELLED] = "{\"state\":\"cancelled\"}",
		[STEPBUS_STEP_QUARANTINED] = "{\"state\":\"quarantined\"}",
	};
	uint64_t wanted[STATE_COUNT] = { 0 }, count = 0;

	for (int i = 0; i < s->step_count; i++)
		if (s->steps[i].is_there)
			wanted[s->steps[i].row.state]++;
	for (int state = STEPBUS_STEP_COMPLETED; state < STATE_COUNT; state++) {
		if (stepbus_step_count(engine, names[state], strlen(names[state]), &count, NULL) !=
			    STEPBUS_OK ||
		    count != wanted[state])
			sim_violate(s, -1, "Q18",
				    "%llu steps are counted in state %d where %llu are",
				    (unsigned long long)count, state,
				    (unsigned long long)wanted[state]);
		else
			chronicle_count(s, state, count);
	}
}

static void judge_file(sim *s)
{
	sqlite3_stmt *check = NULL;

	disk_enter(0);
	if (sqlite3_prepare_v2(s->observer, "PRAGMA integrity_check", -1, &check, NULL) !=
		    SQLITE_OK ||
	    sqlite3_step(check) != SQLITE_ROW ||
	    strcmp((const char *)sqlite3_column_text(check, 0), "ok") != 0)
		sim_violate(s, -1, "store", "the file is damaged");
	(void)sqlite3_finalize(check);
}

void sim_judge_end(sim *s)
{
	stepbus *engine = any_engine(s);

	if (engine == NULL)
		return;
	for (int i = 0; i < s->step_count; i++) {
		if (!s->steps[i].is_there)
			continue;
		judge_outcome(s, engine, i);
		judge_records(s, engine, i);
	}
	judge_told(s);
	judge_counts(s, engine);
	if (s->options.is_on_disk && s->options.seed % INTEGRITY_EVERY == 0)
		judge_file(s);
}
