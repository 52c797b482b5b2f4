/* SPDX-License-Identifier: MIT */
#include "base/gate.h"

#include "support/cmocka.h"
#include "support/thread.h"

enum { READER_COUNT = 3, WRITE_COUNT = 4000 };

/* Two words that belong together, as plain as the table of a map. */
typedef struct house {
	sb_gate gate;
	uint64_t word;
	uint64_t complement;
	_Atomic(bool) is_over;
} house;

typedef struct visitor {
	house *h;
	uint64_t visit_count;
	uint64_t torn_count;
	uint64_t last;
	uint64_t back_count; /* times that a newer word was followed by an older one */
	test_thread thread;
} visitor;

static void visit_often(void *context)
{
	visitor *v = context;
	sb_guard_thread *thread = sb_guard_thread_get();

	while (!atomic_load(&v->h->is_over)) {
		uint64_t word, complement;

		sb_gate_enter(&v->h->gate, thread);
		word = v->h->word;
		complement = v->h->complement;
		sb_gate_leave(thread);
		v->visit_count++;
		v->torn_count += word != ~complement;
		v->back_count += word < v->last;
		v->last = word;
	}
}

typedef struct owner {
	house *h;
	uint64_t step;
	test_thread thread;
} owner;

static void change_often(void *context)
{
	owner *o = context;

	for (int i = 0; i < WRITE_COUNT; i++) {
		sb_gate_close(&o->h->gate);
		o->h->word += o->step;
		o->h->complement = ~o->h->word;
		sb_gate_open(&o->h->gate);
	}
}

static void storm(bool is_fenced)
{
	house h = { .word = 0, .complement = UINT64_MAX };
	visitor visitors[READER_COUNT];
	owner owners[2];

	sb_guard_force_fences(is_fenced);
	sb_gate_init(&h.gate);
	for (size_t i = 0; i < READER_COUNT; i++) {
		visitors[i] = (visitor){ .h = &h };
		test_thread_start(&visitors[i].thread, visit_often, &visitors[i]);
	}
	for (size_t i = 0; i < 2; i++) {
		owners[i] = (owner){ .h = &h, .step = i + 1 };
		test_thread_start(&owners[i].thread, change_often, &owners[i]);
	}
	for (size_t i = 0; i < 2; i++)
		test_thread_join(&owners[i].thread);
	atomic_store(&h.is_over, true);
	for (size_t i = 0; i < READER_COUNT; i++) {
		test_thread_join(&visitors[i].thread);
		assert_int_equal(visitors[i].torn_count, 0);
		assert_int_equal(visitors[i].back_count, 0);
	}
	assert_int_equal(h.word, 3 * WRITE_COUNT);
	sb_gate_free(&h.gate);
	sb_guard_force_fences(false);
}

static void no_reader_sees_half_a_change(void **state)
{
	(void)state;
	storm(false);
}

static void no_reader_sees_half_a_change_with_fences(void **state)
{
	(void)state;
	storm(true);
}

static void enter_once(void *context)
{
	visitor *v = context;
	sb_guard_thread *thread = sb_guard_thread_get();

	sb_gate_enter(&v->h->gate, thread);
	v->last = v->h->word;
	sb_gate_leave(thread);
}

static void a_closed_door_holds_readers_up_until_it_opens(void **state)
{
	house h = { .word = 1 };
	visitor v = { .h = &h };

	(void)state;
	sb_gate_init(&h.gate);
	sb_gate_close(&h.gate);
	test_thread_start(&v.thread, enter_once, &v);
	test_thread_await_sleep(&v.thread);
	h.word = 2;
	sb_gate_open(&h.gate);
	test_thread_join(&v.thread);
	assert_int_equal(v.last, 2);
	sb_gate_free(&h.gate);
}

static void close_and_change(void *context)
{
	house *h = context;

	sb_gate_close(&h->gate);
	h->word = 2;
	sb_gate_open(&h->gate);
}

static void a_writer_waits_for_who_is_inside(void **state)
{
	house h = { .word = 1 };
	sb_guard_thread *thread = sb_guard_thread_get();
	test_thread writer;

	(void)state;
	sb_gate_init(&h.gate);
	sb_gate_enter(&h.gate, thread);
	test_thread_start(&writer, close_and_change, &h);
	test_thread_await_sleep(&writer);
	assert_int_equal(h.word, 1);
	sb_gate_leave(thread);
	test_thread_join(&writer);
	assert_int_equal(h.word, 2);
	sb_gate_free(&h.gate);
}

static void doors_do_not_know_each_other(void **state)
{
	house one = { .word = 1 }, other = { .word = 1 };
	sb_guard_thread *thread = sb_guard_thread_get();

	(void)state;
	sb_gate_init(&one.gate);
	sb_gate_init(&other.gate);
	sb_gate_enter(&one.gate, thread);
	sb_gate_close(&other.gate);
	sb_gate_open(&other.gate);
	sb_gate_leave(thread);
	sb_gate_close(&one.gate);
	sb_gate_enter(&other.gate, thread);
	sb_gate_leave(thread);
	sb_gate_open(&one.gate);
	sb_gate_free(&one.gate);
	sb_gate_free(&other.gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_reader_sees_half_a_change),
		cmocka_unit_test(no_reader_sees_half_a_change_with_fences),
		cmocka_unit_test(a_closed_door_holds_readers_up_until_it_opens),
		cmocka_unit_test(a_writer_waits_for_who_is_inside),
		cmocka_unit_test(doors_do_not_know_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
