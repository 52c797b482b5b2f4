/* SPDX-License-Identifier: MIT */
/*
 * The writer over a store in memory: what waits becomes one transaction, one refusal among many
 * harms no other, a store that fails separates them, and each is done once, in order.
 */
#include "handlers/writer.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "support/cmocka.h"
#include "support/host.h"
#include "support/thread.h"

enum { COUNT_MAX = 64 };

typedef struct world world;

/* An operation that makes a queue of its number, and answers what it is told to. */
typedef struct wish {
	sb_operation operation;
	world *w;
	int number;
	stepbus_status answer;       /* at each run */
	stepbus_status first_answer; /* at the first run instead, unless STEPBUS_OK */
	int run_count;
	int done_count;
} wish;

struct world {
	test_host host;
	sb_store *store;
	sb_writer writer;
	stepbus_error err;
	wish wishes[COUNT_MAX];
	size_t wish_count;
	/* By the leader. */
	int done_order[COUNT_MAX];
	size_t done_total;
	int commit_count;
	int rollback_count;
	int claim_count;
	stepbus_status claim_answer;
	bool has_claims;
	int claims_left; /* has_claims for so many */
	sem_t claimed;
};

static stepbus_status claim(void *context, stepbus_error *err)
{
	world *w = context;

	w->claim_count++;
	w->has_claims = w->claims_left > 0 && --w->claims_left > 0;
	sem_post(&w->claimed);
	if (w->claim_answer == STEPBUS_OK)
		return STEPBUS_OK;
	return sb_fail(err, w->claim_answer, "nothing can be claimed");
}

static bool has_claims(void *context)
{
	return ((world *)context)->has_claims;
}

static void ended(void *context, bool is_committed)
{
	world *w = context;

	w->commit_count += is_committed;
	w->rollback_count += !is_committed;
}

static void settled(void *context)
{
	(void)context;
}

static int set_up(void **state)
{
	static world w;
	const sb_writer_hooks hooks = { claim, has_claims, ended, settled, &w };
	const sb_store_options options = { .host = &w.host.host,
					   .durability = SB_DURABILITY_MEMORY };

	memset(&w, 0, sizeof w);
	w.err.size = sizeof w.err;
	test_host_init(&w.host);
	assert_int_equal(sem_init(&w.claimed, 0, 0), 0);
	assert_int_equal(sb_memory_store_open(&options, &w.store, &w.err), STEPBUS_OK);
	w.writer.group_weight_max = 1000;
	w.writer.waiting_weight_max = 10;
	assert_int_equal(sb_writer_init(&w.writer, &w.host.host, w.store, &hooks), STEPBUS_OK);
	assert_int_equal(sb_writer_start(&w.writer, &w.err), STEPBUS_OK);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	world *w = *state;

	if (w->writer.store != NULL) {
		sb_writer_stop(&w->writer);
		sb_writer_free(&w->writer);
	}
	w->store->type->close(w->store);
	test_host_end(&w->host);
	sem_destroy(&w->claimed);
	return 0;
}

/* Runs what waits and ends the thread, so that all can be looked at. */
static void finish(world *w)
{
	sb_writer_stop(&w->writer);
	sb_writer_free(&w->writer);
	w->writer.store = NULL;
}

static stepbus_status run(sb_operation *operation, sb_store *store, stepbus_error *err)
{
	wish *my = (wish *)(void *)operation;
	stepbus_status status = my->answer;
	char name[16];
	int64_t id;

	my->run_count++;
	if (my->run_count == 1 && my->first_answer != STEPBUS_OK)
		status = my->first_answer;
	if (status != STEPBUS_OK)
		return sb_fail(err, status, "wish %d is not granted", my->number);
	(void)snprintf(name, sizeof name, "queue%d", my->number);
	return store->type->queue_intern(store, sb_slice_z(name), &id, err);
}

static void done(sb_operation *operation)
{
	wish *my = (wish *)(void *)operation;

	my->done_count++;
	my->w->done_order[my->w->done_total++] = my->number;
}

static wish *make(world *w, stepbus_status answer)
{
	wish *made = &w->wishes[w->wish_count];

	made->operation.run = run;
	made->operation.done = done;
	made->operation.weight = 1;
	made->w = w;
	made->number = (int)w->wish_count++;
	made->answer = answer;
	return made;
}

static bool has_queue(world *w, int number)
{
	char name[16];
	int64_t id;

	(void)snprintf(name, sizeof name, "queue%d", number);
	return w->store->type->queue_find(w->store, sb_slice_z(name), &id, NULL) == STEPBUS_OK;
}

/* Lets all of them wait, so that they meet in as few transactions as can be. */
static void submit_together(world *w)
{
	sb_writer_lead(&w->writer);
	for (size_t i = 0; i < w->wish_count; i++)
		sb_writer_submit(&w->writer, &w->wishes[i].operation);
	w->commit_count = 0;
	w->rollback_count = 0;
	sb_writer_yield(&w->writer);
	finish(w);
}

static void assert_in_order(const world *w)
{
	assert_int_equal(w->done_total, w->wish_count);
	for (size_t i = 0; i < w->wish_count; i++) {
		assert_int_equal(w->done_order[i], i);
		assert_int_equal(w->wishes[i].done_count, 1);
	}
}

static void what_waits_becomes_one_transaction(void **state)
{
	world *w = *state;

	for (int i = 0; i < 50; i++)
		(void)make(w, STEPBUS_OK);
	submit_together(w);
	assert_in_order(w);
	assert_int_equal(w->commit_count, 1);
	for (int i = 0; i < 50; i++)
		assert_true(has_queue(w, i));
}

static void a_batch_is_one_transaction_with_a_status_for_each(void **state)
{
	world *w = *state;
	sb_writer_batch batch = { 0 };

	for (int i = 0; i < 50; i++)
		sb_writer_batch_add(&batch,
				    &make(w, i == 7 ? STEPBUS_ESTALE : STEPBUS_OK)->operation);
	/* Their caller leads, so that nobody else is asked. */
	sb_writer_perform_batch(&w->writer, &batch);
	assert_in_order(w);
	assert_int_equal(w->commit_count, 1);
	for (int i = 0; i < 50; i++)
		assert_int_equal(w->wishes[i].operation.status,
				 i == 7 ? STEPBUS_ESTALE : STEPBUS_OK);
	/* Nothing at all is done at once. */
	batch = (sb_writer_batch){ 0 };
	sb_writer_perform_batch(&w->writer, &batch);
	assert_int_equal(w->commit_count, 1);
}

typedef struct batch_caller {
	world *w;
	sb_writer_batch batch;
} batch_caller;

static void perform_batch(void *context)
{
	batch_caller *c = context;

	sb_writer_perform_batch(&c->w->writer, &c->batch);
}

static void a_batch_waits_for_who_leads(void **state)
{
	world *w = *state;
	batch_caller caller = { .w = w };
	test_thread thread;

	for (int i = 0; i < 5; i++) {
		wish *made = make(w, STEPBUS_OK);

		/* Nothing need be done for any of them. */
		made->operation.done = NULL;
		sb_writer_batch_add(&caller.batch, &made->operation);
	}
	sb_writer_lead(&w->writer);
	test_thread_start(&thread, perform_batch, &caller);
	test_thread_await_sleep(&thread);
	assert_int_equal(w->wishes[0].run_count, 0);
	sb_writer_yield(&w->writer);
	test_thread_join(&thread);
	for (int i = 0; i < 5; i++)
		assert_true(has_queue(w, i));
}

static void a_group_is_no_heavier_than_allowed(void **state)
{
	world *w = *state;

	w->writer.group_weight_max = 10;
	for (int i = 0; i < 20; i++)
		make(w, STEPBUS_OK)->operation.weight = i == 19 ? 500 : 4;
	submit_together(w);
	assert_in_order(w);
	/* Two of 4 in each; the last, which is too heavy for any, has one to itself. */
	assert_int_equal(w->commit_count, 11);
}

static void one_refusal_among_many_harms_no_other(void **state)
{
	static const stepbus_status refusals[] = { STEPBUS_EINVAL,     STEPBUS_ENOTFOUND,
						   STEPBUS_EEXISTS,    STEPBUS_EALREADY,
						   STEPBUS_ESTALE,     STEPBUS_ETIMEDOUT,
						   STEPBUS_ECANCELLED, STEPBUS_ESHUTDOWN };
	world *w = *state;

	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		(void)make(w, STEPBUS_OK);
		(void)make(w, refusals[i]);
	}
	submit_together(w);
	assert_in_order(w);
	assert_int_equal(w->commit_count, 1);
	for (size_t i = 0; i < w->wish_count; i++) {
		assert_int_equal(w->wishes[i].run_count, 1);
		assert_int_equal(w->wishes[i].operation.status,
				 i % 2 == 0 ? STEPBUS_OK : refusals[i / 2]);
		assert_int_equal(has_queue(w, (int)i), i % 2 == 0);
	}
	assert_non_null(strstr(w->wishes[1].operation.err.message, "wish 1 "));
}

static void one_that_is_too_much_for_the_store_is_separated(void **state)
{
	static const stepbus_status reasons[] = { STEPBUS_ENOMEM, STEPBUS_ENOSPACE,
						  STEPBUS_ELIMIT };
	world *w = *state;

	for (size_t r = 0; r < 3; r++)
		for (int i = 0; i < 5; i++)
			(void)make(w, i == 2 ? reasons[r] : STEPBUS_OK);
	submit_together(w);
	assert_in_order(w);
	assert_int_equal(w->commit_count, 12);
	for (size_t i = 0; i < w->wish_count; i++) {
		bool is_bad = i % 5 == 2;

		assert_int_equal(w->wishes[i].operation.status,
				 is_bad ? reasons[i / 5] : STEPBUS_OK);
		assert_int_equal(has_queue(w, (int)i), !is_bad);
	}
}

static void what_passes_at_the_second_try_succeeds(void **state)
{
	world *w = *state;

	for (int i = 0; i < 5; i++)
		make(w, STEPBUS_OK)->first_answer = i == 3 ? STEPBUS_ENOMEM : STEPBUS_OK;
	submit_together(w);
	assert_in_order(w);
	for (int i = 0; i < 5; i++)
		assert_int_equal(w->wishes[i].operation.status, STEPBUS_OK);
	assert_int_equal(w->wishes[3].run_count, 2);
	assert_string_equal(w->wishes[3].operation.err.message, "");
}

static void a_store_that_fails_fails_all_of_a_group(void **state)
{
	world *w = *state;

	for (int i = 0; i < 5; i++)
		(void)make(w, i == 4 ? STEPBUS_ESTORE : STEPBUS_OK);
	submit_together(w);
	assert_in_order(w);
	assert_int_equal(w->commit_count, 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(w->wishes[i].operation.status, STEPBUS_ESTORE);
		assert_non_null(strstr(w->wishes[i].operation.err.message, "wish 4"));
		assert_false(has_queue(w, i));
	}
}

static void claims_ride_along_and_their_failure_fails_no_operation(void **state)
{
	world *w = *state;

	w->claim_answer = STEPBUS_ENOMEM;
	for (int i = 0; i < 4; i++)
		(void)make(w, STEPBUS_OK);
	submit_together(w);
	assert_in_order(w);
	assert_true(w->claim_count >= 1);
	assert_true(w->rollback_count >= 1);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(w->wishes[i].operation.status, STEPBUS_OK);
		assert_true(has_queue(w, i));
	}
}

static void await_claim(world *w)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 60;
	while (sem_timedwait(&w->claimed, &limit) != 0)
		assert_int_not_equal(errno, ETIMEDOUT);
}

/* By a caller that leads, while the writer thread sleeps: that one has to claim the rest. */
static void perform_with_claims(world *w, stepbus_status first_answer, int claims_left)
{
	wish *my = make(w, STEPBUS_OK);

	while (atomic_load(&w->writer.is_sleeping) == 0)
		sched_yield();
	my->first_answer = first_answer;
	my->operation.done = NULL;
	sb_writer_lead(&w->writer);
	w->has_claims = true;
	w->claims_left = claims_left;
	pthread_mutex_unlock(&w->writer.lead);
	assert_int_equal(sb_writer_perform(&w->writer, &my->operation, &w->err), STEPBUS_OK);
	for (int i = 0; i < claims_left; i++)
		await_claim(w);
}

static void what_a_caller_leaves_to_claim_the_thread_claims(void **state)
{
	perform_with_claims(*state, STEPBUS_OK, 3);
}

static void what_is_left_when_operations_ran_alone_the_thread_claims(void **state)
{
	perform_with_claims(*state, STEPBUS_ENOMEM, 2);
}

static void a_caller_gets_its_own_status_and_message(void **state)
{
	world *w = *state;

	for (int i = 0; i < 3; i++)
		make(w, i == 1 ? STEPBUS_ESTALE : STEPBUS_OK)->operation.done = NULL;
	for (int i = 0; i < 3; i++)
		assert_int_equal(sb_writer_perform(&w->writer, &w->wishes[i].operation, &w->err),
				 i == 1 ? STEPBUS_ESTALE : STEPBUS_OK);
	assert_string_equal(w->err.message, "wish 1 is not granted");
	assert_true(has_queue(w, 2));
}

static void offers_are_done_at_once_where_nobody_leads(void **state)
{
	world *w = *state;
	wish *offer = make(w, STEPBUS_OK);

	/* The thread looks for work when it begins; behind this it sleeps. */
	sb_writer_offer(&w->writer, &offer->operation);
	finish(w);
	assert_int_equal(offer->done_count, 1);
	assert_true(has_queue(w, 0));
}

static void the_bound_on_what_waits_is_by_weight(void **state)
{
	world *w = *state;
	bool is_full[3];

	make(w, STEPBUS_OK)->operation.weight = 9;
	make(w, STEPBUS_OK)->operation.weight = 1;
	sb_writer_lead(&w->writer);
	is_full[0] = sb_writer_is_full(&w->writer);
	sb_writer_submit(&w->writer, &w->wishes[0].operation);
	is_full[1] = sb_writer_is_full(&w->writer);
	sb_writer_submit(&w->writer, &w->wishes[1].operation);
	is_full[2] = sb_writer_is_full(&w->writer);
	sb_writer_yield(&w->writer);
	finish(w);
	assert_false(is_full[0]);
	assert_false(is_full[1]);
	assert_true(is_full[2]);
	assert_false(sb_writer_is_full(&w->writer));
}

typedef struct performer {
	test_thread thread;
	world *w;
	wish *my;
	stepbus_status status;
} performer;

static void perform(void *context)
{
	performer *p = context;

	p->status = sb_writer_perform(&p->w->writer, &p->my->operation, NULL);
}

static void callers_that_wait_share_a_transaction(void **state)
{
	enum { COUNT = 8 };
	world *w = *state;
	performer performers[COUNT];

	sb_writer_lead(&w->writer);
	for (int i = 0; i < COUNT; i++) {
		performers[i].w = w;
		performers[i].my = make(w, i == 5 ? STEPBUS_EINVAL : STEPBUS_OK);
		performers[i].my->operation.done = NULL;
		test_thread_start(&performers[i].thread, perform, &performers[i]);
		test_thread_await_sleep(&performers[i].thread);
	}
	w->commit_count = 0;
	sb_writer_yield(&w->writer);
	for (int i = 0; i < COUNT; i++) {
		test_thread_join(&performers[i].thread);
		assert_int_equal(performers[i].status, i == 5 ? STEPBUS_EINVAL : STEPBUS_OK);
	}
	finish(w);
	assert_int_equal(w->commit_count, 1);
}

static void refusals_are_those_that_say_something_of_one(void **state)
{
	(void)state;
	assert_false(sb_writer_is_refusal(STEPBUS_OK));
	assert_false(sb_writer_is_refusal(STEPBUS_ENOMEM));
	assert_false(sb_writer_is_refusal(STEPBUS_ENOSPACE));
	assert_false(sb_writer_is_refusal(STEPBUS_ESTORE));
	assert_false(sb_writer_is_refusal(STEPBUS_EBUSY));
	assert_false(sb_writer_is_refusal(STEPBUS_ECORRUPT));
	assert_false(sb_writer_is_refusal(STEPBUS_EREADONLY));
	assert_true(sb_writer_is_refusal(STEPBUS_ESTALE));
}

#define WRITER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WRITER_TEST(what_waits_becomes_one_transaction),
		WRITER_TEST(a_batch_is_one_transaction_with_a_status_for_each),
		WRITER_TEST(a_batch_waits_for_who_leads),
		WRITER_TEST(a_group_is_no_heavier_than_allowed),
		WRITER_TEST(one_refusal_among_many_harms_no_other),
		WRITER_TEST(one_that_is_too_much_for_the_store_is_separated),
		WRITER_TEST(what_passes_at_the_second_try_succeeds),
		WRITER_TEST(a_store_that_fails_fails_all_of_a_group),
		WRITER_TEST(claims_ride_along_and_their_failure_fails_no_operation),
		WRITER_TEST(what_a_caller_leaves_to_claim_the_thread_claims),
		WRITER_TEST(what_is_left_when_operations_ran_alone_the_thread_claims),
		WRITER_TEST(a_caller_gets_its_own_status_and_message),
		WRITER_TEST(offers_are_done_at_once_where_nobody_leads),
		WRITER_TEST(the_bound_on_what_waits_is_by_weight),
		WRITER_TEST(callers_that_wait_share_a_transaction),
		cmocka_unit_test(refusals_are_those_that_say_something_of_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
