/* SPDX-License-Identifier: MIT */
#include "handlers/dispatch.h"

#include "handlers/news.h"

enum { NS_PER_MS = 1000000, TICK_MAX = 16 };

static const int64_t listen_every_ns = 1000000000;

void sb_dispatch_begin(sb_dispatch_sum *sum, int64_t now_ns, int64_t starvation_ms)
{
	*sum = (sb_dispatch_sum){ .now_ns = now_ns,
				  .starvation_ns = starvation_ms > INT64_MAX / NS_PER_MS ?
							   INT64_MAX :
							   starvation_ms * NS_PER_MS,
				  .metrics = { .size = sizeof sum->metrics } };
}

/* Who took notice of it after we looked at the clock makes it no younger than new. */
static int64_t age_of(const sb_dispatch_sum *sum, int64_t noticed_ns)
{
	return noticed_ns < sum->now_ns ? sum->now_ns - noticed_ns : 0;
}

void sb_dispatch_add(sb_dispatch_sum *sum, const sb_dispatch_step *step)
{
	stepbus_dispatch_metrics *m = &sum->metrics;
	int64_t age_ns = age_of(sum, step->noticed_ns);

	if (m->pending_count == 0 || age_ns > sum->oldest_ns) {
		sum->oldest_ns = age_ns;
		memcpy(m->oldest_step_id, step->step_id, sizeof m->oldest_step_id);
	}
	if (m->pending_count == 0 || age_ns < sum->newest_ns)
		sum->newest_ns = age_ns;
	m->pending_count++;
	if (step->is_polled) {
		m->polled_count++;
		return;
	}
	m->waiting_count++;
	if (sum->starvation_ns > 0 && age_ns > sum->starvation_ns)
		m->starving_count++;
}

void sb_dispatch_end(sb_dispatch_sum *sum)
{
	stepbus_dispatch_metrics *m = &sum->metrics;

	m->oldest_age_ms = sum->oldest_ns / NS_PER_MS;
	m->newest_age_ms = sum->newest_ns / NS_PER_MS;
	m->is_starving = m->starving_count > 0;
}

typedef struct measurement {
	const stepbus_worker *worker;
	sb_dispatch_sum sum;
} measurement;

static bool add_one(void *context, sb_claimed *claimed)
{
	measurement *m = context;
	const sb_dispatch_step step = { .step_id = claimed->event.step_id,
					.noticed_ns = atomic_load(&claimed->noticed_ns),
					.is_polled = atomic_load(&claimed->is_polled) != 0 };

	/* What was just claimed may yet be rolled back, and what was answered is on its way out. */
	if (claimed->worker != m->worker || step.noticed_ns == 0)
		return true;
	if (step.is_polled || atomic_load(&claimed->phase) == SB_CLAIMED_QUEUED)
		sb_dispatch_add(&m->sum, &step);
	return true;
}

void sb_dispatch_measure(stepbus_worker *worker, stepbus_dispatch_metrics *out)
{
	stepbus *engine = worker->engine;
	measurement m = { .worker = worker };

	sb_dispatch_begin(&m.sum, sb_clock_elapsed_ns(&engine->host),
			  worker->options.starvation_ms);
	sb_claimed_table_each(&engine->claimed, add_one, &m);
	sb_dispatch_end(&m.sum);
	*out = m.sum.metrics;
}

static void tell(stepbus_worker *worker)
{
	stepbus_dispatch_metrics metrics;

	sb_dispatch_measure(worker, &metrics);
	sb_news_dispatch(worker, SB_EVENT_POLLER_METRICS, &metrics);
	/* Once, when it begins. */
	if (metrics.is_starving != 0 && !worker->was_starving) {
		sb_news_dispatch(worker, SB_EVENT_POLLER_ERROR, &metrics);
		sb_news_dispatch(worker, SB_EVENT_POLLER_STARVING, &metrics);
	}
	worker->was_starving = metrics.is_starving != 0;
}

static bool is_measured(const stepbus_worker *worker)
{
	return worker->options.is_pull && worker->options.metrics_period_ms > 0 &&
	       atomic_load(&worker->is_ended) == 0;
}

/* Those whose time has come, held; the rest says when it does. */
static size_t hold_due(stepbus *engine, stepbus_worker *due[TICK_MAX], int64_t *next_ns)
{
	int64_t now_ns = sb_clock_elapsed_ns(&engine->host);
	size_t count = 0;

	sb_writer_lead(&engine->writer);
	for (stepbus_worker *w = engine->all_workers; w != NULL; w = w->next_made) {
		if (!is_measured(w))
			continue;
		if (w->metrics_at_ns <= now_ns && count < TICK_MAX) {
			w->metrics_at_ns = now_ns + w->options.metrics_period_ms * NS_PER_MS;
			sb_worker_hold(w);
			due[count++] = w;
		}
		if (w->metrics_at_ns < *next_ns)
			*next_ns = w->metrics_at_ns;
	}
	sb_writer_yield(&engine->writer);
	return count;
}

static bool is_heard(const stepbus *engine)
{
	return sb_engine_is_heard(engine, SB_EVENT_POLLER_METRICS) ||
	       sb_engine_is_heard(engine, SB_EVENT_POLLER_ERROR) ||
	       sb_engine_is_heard(engine, SB_EVENT_POLLER_STARVING);
}

int64_t sb_dispatch_tick(stepbus *engine)
{
	stepbus_worker *due[TICK_MAX];
	int64_t next_ns = INT64_MAX;
	size_t count;

	if (!is_heard(engine))
		return sb_clock_elapsed_ns(&engine->host) + listen_every_ns;
	count = hold_due(engine, due, &next_ns);
	for (size_t i = 0; i < count; i++) {
		tell(due[i]);
		sb_worker_let_go(due[i]);
	}
	return next_ns;
}
