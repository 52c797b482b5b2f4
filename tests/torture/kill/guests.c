/* SPDX-License-Identifier: MIT */
#include "torture/kill/guests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/stepbus.h"
#include "torture/kill/guest.h"

/* Of one attempt that a guest began. */
typedef struct act {
	int64_t id;
	int64_t token;
	const event *start;
	guest_language language;
	bool is_raised; /* the handler noted that it is about to fail */
} act;

typedef struct deeds {
	size_t attempts;  /* begun */
	size_t completed; /* steps that have its result */
	size_t retried; /* attempts that raised and are kept as such, of steps that were completed later */
	size_t final;    /* likewise for good */
	size_t lost;     /* attempts that ended their process */
	size_t wrong;    /* attempts that are kept as something else than documented */
	size_t failures; /* by what it raised */
	size_t refused;  /* answers that came too late */
	size_t answers;
	size_t kills;  /* of its processes, by others */
	size_t inside; /* of these, while a handler ran */
	size_t stalls;
	size_t crashes; /* of its processes, by a handler */
} deeds;

typedef struct report {
	const history *h;
	guest_language *languages; /* by the number of the process */
	int64_t *open;             /* attempts that run, by the number of the process */
	size_t process_count;
	act *acts; /* by step and token */
	size_t act_count;
	deeds of[GUEST_LANGUAGE_COUNT];
} report;

static int compare_acts(const void *a, const void *b)
{
	const act *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->token < y->token ? -1 : x->token > y->token;
}

static void *make_zeroed(size_t count, size_t len)
{
	void *made = calloc(count, len);

	if (made == NULL)
		abort();
	return made;
}

static void begin(report *r, const history *h)
{
	*r = (report){ .h = h, .process_count = 1 };
	for (size_t i = 0; i < h->event_count; i++)
		if (h->events[i].process >= 0 && (size_t)h->events[i].process >= r->process_count)
			r->process_count = (size_t)h->events[i].process + 1;
	r->languages = make_zeroed(r->process_count, sizeof *r->languages);
	r->open = make_zeroed(r->process_count, sizeof *r->open);
	r->acts = make_zeroed(h->event_count + 1, sizeof *r->acts);
	for (size_t i = 0; i < h->event_count; i++) {
		const event *e = &h->events[i];

		if (e->kind == LOG_READY && e->process >= 0 && e->a > GUEST_NONE &&
		    e->a < GUEST_LANGUAGE_COUNT)
			r->languages[e->process] = (guest_language)e->a;
	}
}

static void count_end(const report *r, deeds *d, const event *e)
{
	d->kills += e->a == END_KILLED;
	d->inside += e->a == END_KILLED && r->open[e->process] > 0;
	d->crashes += e->a == END_OWN;
}

/* Its start was noted by the same process, and not long ago. */
static void note_raised(report *r, const event *end)
{
	for (size_t i = r->act_count; i-- > 0;)
		if (r->acts[i].id == end->a && r->acts[i].token == end->b) {
			r->acts[i].is_raised = true;
			return;
		}
}

static void count_event(report *r, const event *e)
{
	guest_language language = e->process >= 0 ? r->languages[e->process] : GUEST_NONE;
	deeds *d = &r->of[language];

	if (language == GUEST_NONE)
		return;
	if (e->kind == LOG_STARTED) {
		d->attempts++;
		r->open[e->process]++;
		r->acts[r->act_count++] = (act){ e->a, e->b, e, language, false };
	} else if (e->kind == LOG_ENDED) {
		r->open[e->process]--;
		d->failures += e->c == STEPBUS_OUTCOME_FAILURE;
		if (e->c == STEPBUS_OUTCOME_FAILURE)
			note_raised(r, e);
	} else if (e->kind == LOG_ANSWERED) {
		d->answers++;
		d->refused += e->c != STEPBUS_OK;
	} else if (e->kind == LOG_NEMESIS) {
		d->stalls += e->a == NEMESIS_STALL && e->b == 1;
	} else if (e->kind == LOG_KILLED) {
		count_end(r, d, e);
	}
}

static void count_steps(report *r)
{
	qsort(r->acts, r->act_count, sizeof *r->acts, compare_acts);
	for (size_t i = 0; i < r->h->step_count; i++) {
		const step_row *row = &r->h->steps[i];
		const act wanted = { .id = row->id, .token = row->token };
		const act *found =
			bsearch(&wanted, r->acts, r->act_count, sizeof *r->acts, compare_acts);

		if (row->state == STATE_COMPLETED && found != NULL)
			r->of[found->language].completed++;
	}
}

bool guests_are_in(const history *h)
{
	for (size_t i = 0; i < h->event_count; i++)
		if (h->events[i].kind == LOG_READY && h->events[i].a != GUEST_NONE)
			return true;
	return false;
}

static const attempt_row *row_of(const history *h, const act *a)
{
	size_t count = 0;
	const attempt_row *rows = history_attempts(h, a->id, &count);

	for (size_t i = 0; i < count; i++)
		if (rows[i].token == a->token)
			return &rows[i];
	return NULL;
}

/* What was raised is tried again, or has failed for good, as it says. */
static void count_raised(deeds *d, const act *a, const attempt_row *row, const step_row *step)
{
	bool is_final = a->start->c % 10 == BEHAVIOUR_FAIL_FOR_GOOD;

	if (strcmp(row->outcome, "failure") != 0)
		return;
	d->wrong += row->is_retryable == is_final;
	d->final += is_final;
	d->retried += !is_final && step->state == STATE_COMPLETED;
}

static void count_crash(deeds *d, const attempt_row *row)
{
	d->lost += strcmp(row->outcome, "lost") == 0;
	d->wrong += strcmp(row->outcome, "success") == 0 || strcmp(row->outcome, "failure") == 0;
}

static void count_outcomes(report *r)
{
	for (size_t i = 0; i < r->act_count; i++) {
		const act *a = &r->acts[i];
		const attempt_row *row = row_of(r->h, a);
		const step_row *step = history_step(r->h, a->id);

		if (row == NULL || step == NULL)
			continue;
		if (a->is_raised)
			count_raised(&r->of[a->language], a, row, step);
		else if (a->start->c % 100 == BEHAVIOUR_CRASH)
			count_crash(&r->of[a->language], row);
	}
}

static size_t count_acknowledged(const history *h)
{
	size_t count = 0;

	for (size_t i = 0; i < h->event_count; i++)
		count += h->events[i].kind == LOG_ENQUEUED;
	return count;
}

static void expect(size_t count, const char *language, const char *what, int *passed, int *failed)
{
	*passed += count > 0;
	*failed += count == 0;
	if (count == 0)
		(void)printf("%s: %s: none, so that nothing is shown\n", language, what);
}

static void print_language(const deeds *d, const char *language, int *passed, int *failed)
{
	(void)printf(
		"%s: %zu attempts begun, %zu steps completed, %zu failed by what was raised; "
		"%zu answers heard of, %zu of them refused; processes killed: %zu, %zu of them "
		"inside of a handler; %zu ended by a handler; %zu stopped for a while\n",
		language, d->attempts, d->completed, d->failures, d->answers, d->refused, d->kills,
		d->inside, d->crashes, d->stalls);
	(void)printf("%s: of what was raised %zu attempts were tried again, and completed, %zu had "
		     "failed for good; %zu that ended their process were lost; %zu are kept as "
		     "something else\n",
		     language, d->retried, d->final, d->lost, d->wrong);
	*passed += d->wrong == 0;
	*failed += d->wrong > 0;
	expect(d->retried, language, "attempts that raised, and were tried again", passed, failed);
	expect(d->final, language, "attempts that failed for good", passed, failed);
	expect(d->lost, language, "attempts that ended their process", passed, failed);
	expect(d->completed, language, "steps completed", passed, failed);
	expect(d->failures, language, "attempts failed by what was raised", passed, failed);
	expect(d->answers, language, "answers heard of", passed, failed);
	expect(d->inside, language, "processes killed inside of a handler", passed, failed);
	expect(d->crashes, language, "processes ended by a handler", passed, failed);
}

void guests_report(const nemesis *n, const history *h, int violated, int *passed, int *failed)
{
	report r;
	const deeds *python = &r.of[GUEST_IN_PYTHON], *node = &r.of[GUEST_IN_NODE];

	begin(&r, h);
	for (size_t i = 0; i < h->event_count; i++)
		count_event(&r, &h->events[i]);
	count_steps(&r);
	count_outcomes(&r);
	print_language(python, "Python", passed, failed);
	print_language(node, "Node", passed, failed);
	(void)printf(
		"proof: kill guests: %ld kills of %d processes on one file (%zu of Python, %zu of "
		"Node; %zu and %zu inside of a handler), %zu and %zu more ended by a handler "
		"of their own, %zu steps acknowledged, %zu completed by Python, %zu by Node: "
		"%d rules violated\n",
		n->kills + n->point_kills, n->player_count, python->kills, node->kills,
		python->inside, node->inside, python->crashes, node->crashes, count_acknowledged(h),
		python->completed, node->completed, violated);
	free(r.languages);
	free(r.open);
	free(r.acts);
}
