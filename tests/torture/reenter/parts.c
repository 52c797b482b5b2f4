/* SPDX-License-Identifier: MIT */
#include "torture/reenter/parts.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint32_t part_draw(uint32_t *random, uint32_t count)
{
	*random ^= *random << 13;
	*random ^= *random >> 17;
	*random ^= *random << 5;
	return *random % count;
}

void part_pause_us(int64_t time_us)
{
	const struct timespec time = { time_us / 1000000, (long)(time_us % 1000000) * 1000 };

	(void)ppoll(NULL, 0, &time, NULL);
}

static void run_in_child(const part *p, uint32_t count, uint32_t seed)
{
	tally t = { 0 };

	world_deadline(p->patience_s);
	p->run(&t, count, seed);
	(void)fflush(stdout);
	_exit(t.failed > 0 ? 1 : 0);
}

void part_run(tally *t, const part *p, uint32_t count, uint32_t seed)
{
	int ended = 0;
	pid_t child;

	(void)fflush(stdout);
	child = fork();
	if (child == 0)
		run_in_child(p, count, seed);
	while (waitpid(child, &ended, 0) != child)
		;
	if (WIFSIGNALED(ended))
		tally_find(t, "%s: %s", p->name,
			   WTERMSIG(ended) == SIGVTALRM ? "hangs" : strsignal(WTERMSIG(ended)));
	else
		tally_note(t, WEXITSTATUS(ended) == 0);
}
