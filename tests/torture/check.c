/* SPDX-License-Identifier: MIT */
/*
 * stepbus-check: reads what an observer saw of a run and the database that the run left, and says
 * which of the invariants Q1 to Q20 hold, which are violated, and of which nothing was seen:
 *
 *   check LOG [DATABASE]   judges a run; without a database, by its log alone
 *   check self [LINES]     tests the checker: stories that it must not blame, damages that it must
 *                          find, files made by somebody who wishes ill; and measures it with as
 *                          many lines (1,000,000)
 *
 * It knows nothing of the library but the names of outcomes and states, and its documented views.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torture/check/self.h"
#include "torture/history/rules.h"

static int judge_run(const char *log_path, const char *database_path)
{
	int passed = 0, failed = 0;
	verdict v = { 0 };
	history h;

	if (history_read(&h, log_path, database_path)) {
		rules_judge(&h, &v);
		rules_print(&v, 0, &passed, &failed);
	} else {
		failed = 1;
	}
	history_free(&h);
	(void)printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && argc <= 3 && strcmp(argv[1], "self") == 0)
		return self_test(argc == 3 ? strtoul(argv[2], NULL, 10) : 1000000);
	if (argc < 2 || argc > 3) {
		(void)fprintf(stderr, "usage: check LOG [DATABASE]\n       check self [LINES]\n");
		return 2;
	}
	return judge_run(argv[1], argc == 3 ? argv[2] : NULL);
}
