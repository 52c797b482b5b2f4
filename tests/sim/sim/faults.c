/* SPDX-License-Identifier: MIT */
/* What befalls processes, disks and clocks. */
#include "sim/sim/actions.h"

#include <string.h>

enum { NS_PER_MS = 1000000, EXCUSED_ACTIONS = 40, EXCUSED_MS = 3000 };

/* What is planned may also fail something in the background, and be told of later. */
static void excuse(sim *s, sim_process *p)
{
	p->excused_until = s->action_number + EXCUSED_ACTIONS;
	p->excused_until_ns = s->world.elapsed_ns + (int64_t)EXCUSED_MS * NS_PER_MS;
}

void sim_fault(sim *s, sim_process *p)
{
	disk_fault fault = (disk_fault)sim_draw(s, DISK_FAULT_COUNT);
	int nth = 1 + (int)sim_draw(s, 20);

	if (!s->options.is_on_disk || sim_chance(s, 400)) {
		p->famine_in = nth;
		p->famine_left = 1 + (int)sim_draw(s, 3);
		fault = DISK_FAULT_COUNT;
	} else {
		disk_plan(p->number, fault, nth);
	}
	if (fault == DISK_BROKEN)
		p->was_broken = true;
	excuse(s, p);
	sim_note(s, "fault", -1, fault, nth);
}

void sim_crash(sim *s, sim_process *p)
{
	if (!s->options.is_on_disk)
		return;
	sim_note(s, "crash", -1, p->life, 0);
	sim_process_crash(p);
	sim_model_end(s);
	for (int i = 0; i < s->world.process_count; i++)
		if (s->world.processes[i].is_up)
			return;
	/* When nobody has the file open, the next one to open it has to read the log anew. */
	if (sim_chance(s, 500))
		sim_observe_end(s);
}

void sim_restart(sim *s, sim_process *p)
{
	bool is_up = sim_process_start(p);

	sim_note(s, "start", -1, p->life, is_up);
	for (int i = 0; is_up && i < s->world.worker_count; i++)
		(void)sim_worker_start(p, i);
}

void sim_stall(sim *s, sim_process *p)
{
	int64_t stall_ms = (int64_t)sim_draw(s, 3 * LEASE_MS);

	p->stalled_until_ns = s->world.elapsed_ns + stall_ms * NS_PER_MS;
	sim_note(s, "stall", -1, stall_ms, 0);
}

void sim_replace_worker(sim *s, sim_process *p)
{
	int slot = (int)sim_draw(s, (uint64_t)s->world.worker_count);

	/* It waits for what cannot be written, by real time. */
	if (disk_is_cut(p->number) || p->was_broken)
		return;
	sim_process_heal(p);
	sim_note(s, "worker", -1, slot, p->workers[slot] != NULL);
	if (p->workers[slot] != NULL)
		sim_worker_free(p, slot);
	else
		(void)sim_worker_start(p, slot);
}

void sim_close(sim *s, sim_process *p)
{
	if (!s->options.is_on_disk || p->was_broken || disk_is_cut(p->number))
		return;
	sim_process_heal(p);
	sim_note(s, "close", -1, p->life, 0);
	sim_process_close(p);
}

void sim_jump(sim *s, sim_process *p)
{
	static const int64_t sizes_us[] = { 1000000, 60000000, INT64_C(3600000000),
					    INT64_C(31557600000000) };
	/* A schedule that makes up for a year enqueues for a year. */
	size_t count = s->cron_every_us > 0 ? 2 : sizeof sizes_us / sizeof *sizes_us;
	int64_t jump_us = sizes_us[sim_draw(s, count)];

	if (sim_chance(s, 500))
		jump_us = -jump_us;
	/* Far away from where they started, they come back. */
	if (p->wall_skew_us > 10 * sizes_us[3] || p->wall_skew_us < -10 * sizes_us[3])
		jump_us = -p->wall_skew_us;
	sim_model_keep_wall_top(s);
	p->wall_skew_us += jump_us;
	sim_note(s, "clock", -1, jump_us, 0);
}

void sim_let_time_pass(sim *s)
{
	uint64_t draw = sim_draw(s, 1000);
	int64_t us = (int64_t)sim_draw(s, 20000);

	if (draw < 80)
		us = (int64_t)sim_draw(s, 400000);
	else if (draw < 83)
		us = (int64_t)sim_draw(s, (uint64_t)LEASE_MS * 2000);
	else if (draw < 84)
		us = (int64_t)sim_draw(s, 60000000);
	s->world.elapsed_ns += us * 1000;
}
