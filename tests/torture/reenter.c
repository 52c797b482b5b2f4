/* SPDX-License-Identifier: MIT */
/*
 * What the library does inside its host when the host does what hosts do:
 *
 *   reenter FORKS [SEED]            all parts
 *   reenter matrix [FUNCTION [PLACE]]
 *   reenter table
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture/reenter/matrix.h"
#include "torture/reenter/parts.h"

static place find_place(const char *name)
{
	for (place where = 1; where < PLACE_COUNT; where++)
		if (strcmp(place_name(where), name) == 0)
			return where;
	return PLACE_NONE;
}

int main(int argc, char **argv)
{
	tally t = { 0 };

	if (argc < 2)
		return 2;
	if (strcmp(argv[1], "table") == 0) {
		matrix_print();
		return 0;
	}
	int status = parts_executed(argc, argv);

	if (status >= 0)
		return status;
	if (strcmp(argv[1], "forks") == 0) {
		part_run(&t, &(part){ "forks", forks_run, 120 },
			 (uint32_t)strtoul(argv[2], NULL, 10), 7);
	} else if (strcmp(argv[1], "cancel") == 0) {
		part_run(&t, &(part){ "cancel", cancel_run, 60 },
			 (uint32_t)strtoul(argv[2], NULL, 10), 7);
	} else if (strcmp(argv[1], "signals") == 0) {
		part_run(&t, &(part){ "signals", signals_run, 60 },
			 (uint32_t)strtoul(argv[2], NULL, 10), 7);
	} else if (strcmp(argv[1], "manners") == 0) {
		part_run(&t, &(part){ "manners", manners_run, 60 },
			 (uint32_t)strtoul(argv[2], NULL, 10), 7);
	} else if (strcmp(argv[1], "control") == 0) {
		matrix_control(&t);
	} else {
		matrix_check_rows(&t);
		matrix_run(&t, &(matrix_options){ .is_in_memory = getenv("MEM") != NULL,
						  .is_stormy = strcmp(argv[1], "storm") == 0,
						  .function = argc > 2 ? argv[2] : NULL,
						  .where = argc > 3 ? find_place(argv[3]) :
								      PLACE_NONE });
	}
	(void)printf("%d passed, %d failed\n", t.passed, t.failed);
	return t.failed > 0;
}
