/* SPDX-License-Identifier: MIT */
/*
 * What the library does inside a host that does what hosts do: it calls any function from inside any
 * callback, beside the end of an engine and in forked children; it forks, executes programs, sends signals
 * and cancels threads at any time.
 *
 *   reenter FORKS [SEED]          all parts: the matrix of functions and places, plain calls under
 *                                 signals, FORKS forks of a busy process, as many cancelled threads,
 *                                 and what an engine changes in its host; from 1,000 forks on the
 *                                 matrix is run on a store in memory, too
 *   reenter PART FORKS [SEED]     one of them: matrix storm forks cancel signals manners loads control
 *   reenter matrix FUNCTION [PLACE]   some cells, by the names that `table` shows
 *   reenter table                 prints what each function may answer in each place
 *
 * Run it from the root of the tree: the rows of the matrix are compared with include/stepbus.h. Each part,
 * and each cell of the matrix, has a process of its own, and faults put in on purpose must be reported: a
 * callback that waits for itself, a crash, a wrong status, a slow call, a descriptor left open, a library
 * that is looked for, a cancellation inside of a call.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture/reenter/matrix.h"
#include "torture/reenter/parts.h"

enum { FULL_FORKS = 1000, WORKER_STARTS = 300, ENGINES = 6 };

typedef struct orders {
	const char *part; /* NULL: all */
	const char *function;
	const char *place;
	uint32_t count;
	uint32_t seed;
} orders;

static place find_place(const char *name)
{
	for (place where = 1; name != NULL && where < PLACE_COUNT; where++)
		if (strcmp(place_name(where), name) == 0)
			return where;
	return PLACE_NONE;
}

static bool is_ordered(const orders *o, const char *name)
{
	return o->part == NULL || strcmp(o->part, name) == 0;
}

static void run_matrix(tally *t, const orders *o)
{
	matrix_options options = { .function = o->function, .where = find_place(o->place) };

	matrix_check_rows(t);
	matrix_run(t, &options);
	options.is_in_memory = true;
	if (o->count >= FULL_FORKS)
		matrix_run(t, &options);
}

static void run_storm(tally *t, const orders *o)
{
	matrix_options options = { .is_stormy = true };

	matrix_run(t, &options);
	options.is_in_memory = true;
	if (o->count >= FULL_FORKS)
		matrix_run(t, &options);
}

static void run_parts(tally *t, const orders *o)
{
	static const part parts[] = {
		{ "forks", forks_run, 600 },
		{ "cancel", cancel_run, 600 },
		{ "signals", signals_run, 60 },
		{ "manners", manners_run, 60 },
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		{ "loads", loads_run, 60 },
#endif
	};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		uint32_t count = parts[i].run == signals_run ? WORKER_STARTS :
				 parts[i].run == manners_run ? ENGINES :
							       o->count;

		if (is_ordered(o, parts[i].name))
			part_run(t, &parts[i], count, o->seed);
	}
}

static int run(const orders *o)
{
	tally t = { 0 };

	(void)printf("%u forks, seed %u\n", o->count, o->seed);
	if (is_ordered(o, "control"))
		matrix_control(&t);
	if (is_ordered(o, "matrix"))
		run_matrix(&t, o);
	if (is_ordered(o, "storm"))
		run_storm(&t, o);
	run_parts(&t, o);
	(void)printf("%d passed, %d failed\n", t.passed, t.failed);
	return t.failed > 0 || t.passed == 0;
}

static int explain(void)
{
	(void)fprintf(stderr,
		      "usage: reenter FORKS [SEED]\n"
		      "       reenter matrix|storm|forks|cancel|signals|manners|loads|control "
		      "FORKS [SEED]\n"
		      "       reenter matrix FUNCTION [PLACE]\n"
		      "       reenter table\n");
	return 2;
}

static bool is_number(const char *text)
{
	return isdigit((unsigned char)text[0]) != 0;
}

static uint32_t read_number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	orders o = { .seed = (uint32_t)getpid() };
	int status = forks_executed(argc, argv);

	if (status < 0)
		status = loads_executed(argc, argv);
	if (status >= 0)
		return status;
	if (argc == 2 && strcmp(argv[1], "table") == 0) {
		matrix_print();
		return 0;
	}
	if (argc < 2 || argc > 4)
		return explain();
	if (!is_number(argv[1])) {
		o.part = argv[1];
		argv++;
		argc--;
	}
	if (argc < 2)
		return explain();
	if (is_number(argv[1])) {
		o.count = read_number(argv[1]);
		o.seed = argc == 3 ? read_number(argv[2]) : o.seed;
	} else {
		o.function = argv[1];
		o.place = argc == 3 ? argv[2] : NULL;
	}
	return run(&o);
}
