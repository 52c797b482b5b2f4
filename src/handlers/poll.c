/* SPDX-License-Identifier: MIT */
#include "handlers/poll.h"

#include "bridge/publish.h"
#include "handlers/clockwork.h"
#include "handlers/enlist.h"
#include "handlers/host_line.h"
#include "handlers/polled.h"
#include "handlers/resolve.h"
#include "handlers/submit.h"
#include "handlers/worker_line.h"

/* One call on its way. */
typedef struct poll {
	stepbus_worker *worker;
	const sb_poll_room *room;
	size_t count;
	int64_t now_ns;
	const sb_known_handler *known; /* that of the step before, */
	stepbus_handler *definition;   /* and its definition; NULL: not to be used again */
} poll;

/* Not begun: whoever stops the worker, or wants the step to stop, comes first. */
static void give_back(stepbus_worker *worker, sb_claimed *first)
{
	uint32_t count = 0;

	for (const sb_claimed *c = first; c != NULL; c = c->next)
		count++;
	sb_enlist_give_back(worker, first);
	while (count-- > 0)
		sb_worker_line_leave(worker);
}

/* Steps of one handler often come together. */
static stepbus_status resolve(poll *p, const sb_claimed *claimed, stepbus_error *err)
{
	stepbus_handler *resolved = NULL;
	stepbus_status status;

	if (p->definition != NULL && p->known == claimed->handler)
		return STEPBUS_OK;
	sb_handler_unref(p->definition);
	p->definition = NULL;
	status = sb_resolve(p->worker->engine->registry, &claimed->event, &resolved, err);
	if (status != STEPBUS_OK) {
		sb_handler_unref(resolved);
		return status;
	}
	p->definition = resolved;
	p->known = NULL;
	if ((resolved->facts->spec.flags & STEPBUS_HANDLER_PULLED) == 0)
		return sb_fail(err, STEPBUS_EHANDLER,
			       "handler '%s' has a call by now: a worker with a pool runs it",
			       resolved->facts->spec.name);
	if ((resolved->facts->spec.flags & STEPBUS_HANDLER_VERSION_FROM_INPUT) == 0)
		p->known = claimed->handler;
	return STEPBUS_OK;
}

/* What a handler that is found by another version than the step's is told to be. */
static void tell_version(sb_claimed *claimed, const stepbus_handler_spec *spec)
{
	stepbus_step_event *event = &claimed->event;

	if (sb_slice_is_equal(sb_slice_of(event->handler_version, event->handler_version_len),
			      sb_slice_of(spec->version, spec->version_len)))
		return;
	memcpy(claimed->handler_version, spec->version, spec->version_len);
	event->handler_version = claimed->handler_version;
	event->handler_version_len = spec->version_len;
}

static const char *begin(poll *p, sb_claimed *claimed, stepbus_status *status, stepbus_error *err)
{
	*status = resolve(p, claimed, err);
	if (*status != STEPBUS_OK)
		return *status == STEPBUS_ENOMEM || *status == STEPBUS_EHANDLER ?
			       "handler_error" :
			       "handler_not_found";
	*status = sb_submit_begin(claimed, &p->definition->facts->spec, err);
	return *status == STEPBUS_OK ? NULL : "not_permitted";
}

/* One that cannot run is settled here, and not handed out. */
static void refuse(stepbus_worker *worker, sb_claimed *claimed, const char *error_type,
		   const stepbus_error *err)
{
	const sb_submit_failure failure = {
		.error_type = error_type,
		.message = err->message,
		.is_retryable = strcmp(error_type, "handler_error") == 0,
		.attempt_outcome = SB_ATTEMPT_FAILURE,
	};

	sb_claimed_table_leave(&worker->engine->claimed, claimed);
	sb_submit_refuse(claimed, &failure);
	sb_worker_line_leave(worker);
	sb_claimed_unref(&worker->engine->host, claimed);
}

static void publish(const poll *p, const sb_claimed *claimed)
{
	stepbus *engine = p->worker->engine;

	(void)sb_publish(engine->bridge, engine->event_ids[SB_EVENT_RECEIVED], &claimed->event,
			 sizeof claimed->event, NULL);
}

static void write_event(poll *p, const stepbus_step_event *event)
{
	size_t len = p->room->event_len;
	char *to = p->room->events + p->count++ * len;
	uint32_t size = (uint32_t)len;

	memcpy(to, event, len < sizeof *event ? len : sizeof *event);
	if (len > sizeof *event)
		memset(to + sizeof *event, 0, len - sizeof *event);
	memcpy(to, &size, sizeof size);
}

/* It is the host's: from here on anybody who knows its token may answer it, and be done with it. */
static void hand_over(poll *p, sb_claimed *claimed)
{
	stepbus_worker *worker = p->worker;

	sb_handler_ref(p->definition);
	claimed->definition = p->definition;
	sb_claimed_ref(claimed);
	atomic_store(&claimed->is_polled, 1);
	/* Who interrupted it before could not tell the host. */
	if (sb_unlikely(atomic_load(&claimed->interruption) != STEPBUS_OK))
		sb_wake_alert(&worker->wake);
	write_event(p, &claimed->event);
	publish(p, claimed);
	sb_claimed_unref(&worker->engine->host, claimed);
}

static void hand_out(poll *p, sb_claimed *claimed)
{
	stepbus_worker *worker = p->worker;
	stepbus_error err; /* not cleared: a step has none */
	stepbus_status status;
	const char *error_type;

	err.size = sizeof err;
	if (atomic_load(&claimed->interruption) != STEPBUS_OK) {
		claimed->next = NULL;
		give_back(worker, claimed);
		return;
	}
	/* The host's reference and place in the table, before time may end the attempt. */
	sb_claimed_ref(claimed);
	atomic_fetch_add_explicit(&claimed->hold_count, 1, memory_order_relaxed);
	claimed->event.flags |= STEPBUS_STEP_PULLED;
	atomic_store(&claimed->started_ns, p->now_ns);
	atomic_store(&claimed->noticed_ns, p->now_ns);
	atomic_store(&claimed->phase, SB_CLAIMED_RUNNING);
	/* Whoever stops the worker tells those that run by then. */
	if (atomic_load(&worker->is_claiming) == 0)
		(void)sb_claimed_interrupt(claimed, STEPBUS_ESHUTDOWN);
	sb_start_log_mark(worker->start_log, claimed->start_slot, SB_START_RUNNING);
	error_type = begin(p, claimed, &status, &err);
	if (error_type != NULL) {
		refuse(worker, claimed, error_type, &err);
		return;
	}
	tell_version(claimed, &p->definition->facts->spec);
	hand_over(p, claimed);
}

/* Ends where a subscriber forked, and this is the child: the rest is the parent's to hand out. */
static stepbus_status hand_out_all(poll *p, sb_claimed *first, stepbus_error *err)
{
	stepbus *engine = p->worker->engine;
	stepbus_status status = STEPBUS_OK;

	p->now_ns = sb_clock_elapsed_ns(&engine->host);
	for (sb_claimed *next; first != NULL && status == STEPBUS_OK; first = next) {
		next = first->next;
		hand_out(p, first);
		status = sb_engine_check(engine, false, err);
	}
	sb_handler_unref(p->definition);
	p->definition = NULL;
	if (p->worker->options.silence_timeout_ms > 0)
		sb_clockwork_expect(p->worker->engine->clockwork,
				    p->now_ns + p->worker->options.silence_timeout_ms * 1000000);
	/* Who frees the worker has not seen them. */
	if (status == STEPBUS_OK && atomic_load(&p->worker->is_abandoned) != 0)
		sb_polled_abandon(p->worker);
	return status;
}

static stepbus_status explain(stepbus_status status, stepbus_error *err)
{
	switch (status) {
	case STEPBUS_ETIMEDOUT:
		return sb_fail(err, status, "no step came in the time given");
	case STEPBUS_EBUSY:
		return sb_fail(err, status,
			       "so many steps were polled and not answered that no more are handed "
			       "out: complete or release some");
	case STEPBUS_ESHUTDOWN:
		return sb_fail(err, status, "the worker is being stopped");
	default:
		return status;
	}
}

/* Until one step is handed out, or it is clear that none will be. */
static stepbus_status run(poll *p, const struct timespec *until, stepbus_error *err)
{
	stepbus_worker *worker = p->worker;
	sb_claimed *first = NULL;
	stepbus_status status = STEPBUS_OK;

	while (p->count == 0) {
		status = sb_host_line_take(worker, p->room->count_max, until, &first);
		if (status != STEPBUS_OK)
			return explain(status, err);
		if (atomic_load(&worker->is_claiming) == 0) {
			give_back(worker, first);
			continue;
		}
		if (sb_worker_is_lease_over(worker)) {
			sb_host_line_return(worker, first);
			continue;
		}
		sb_worker_line_ask(worker);
		status = hand_out_all(p, first, err);
		if (status != STEPBUS_OK)
			return status;
	}
	return STEPBUS_OK;
}

stepbus_status sb_poll(stepbus_worker *worker, const sb_poll_room *room, int64_t timeout_ms,
		       size_t *count, stepbus_error *err)
{
	poll p = { .worker = worker, .room = room };
	struct timespec until;
	stepbus_status status;

	if (timeout_ms != 0)
		until = sb_worker_deadline_after(timeout_ms);
	sb_worker_hold(worker);
	status = run(&p, timeout_ms != 0 ? &until : NULL, err);
	*count = p.count;
	if (status != STEPBUS_EFORKED)
		sb_worker_let_go(worker);
	return status;
}
