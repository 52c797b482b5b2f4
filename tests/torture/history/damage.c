/* SPDX-License-Identifier: MIT */
#include "torture/history/damage.h"

#include <stdio.h>

static const char *apply(const history *h, const damage *d)
{
	history damaged = history_copy(h);
	verdict v = { .is_quiet = true };
	const char *answer = "nothing";

	if (d->apply(&damaged)) {
		rules_judge(&damaged, &v);
		answer = v.violations[d->rule] > 0 ? NULL : "NOT FOUND";
	}
	history_free(&damaged);
	return answer;
}

int damage_all(const history *h, int *found_count, int *missed_count)
{
	const damage *const lists[] = { damages_of_rows, damages_of_order, damages_of_run };
	int found = 0, missed = 0, absent = 0;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		for (const damage *d = lists[i]; d->name != NULL; d++) {
			const char *answer = apply(h, d);

			found += answer == NULL;
			absent += answer != NULL && answer[0] == 'n';
			missed += answer != NULL && answer[0] == 'N';
			if (answer != NULL)
				(void)printf("damage: %s (%.3s): %s\n", d->name, rule_name(d->rule),
					     answer[0] == 'n' ? "nothing of the kind is there" :
								answer);
		}
	(void)printf("damages that were put in: %d, found: %d\n", found + missed, found);
	*found_count += found;
	*missed_count += missed;
	return absent;
}
