/* SPDX-License-Identifier: MIT */
/*
 * The cases of the bridge benchmark. Compiled twice: into an executable that holds libstepbus.a,
 * and with BENCH_IS_SHARED into one that loads libstepbus.so. Each measures the bare indirect call
 * itself, so that every ratio is taken within one run of one executable.
 */
#include "bench/bus.h"

static bench_entry *add(bench_group *group, const char *case_name, const bench_peer *peer,
			const bus_plan *plan)
{
	bench_entry *entry = bench_group_add(group, case_name, peer, plan);

	entry->work_each = plan->subscriber_count;
	return entry;
}

/* The first two entries: stepbus, compared with the bare call. */
static bench_entry *add_stepbus_and_bare(bench_group *group, const char *case_name,
					 const bus_plan *plan)
{
	bench_entry *stepbus = add(group, case_name, &peer_stepbus_bridge, plan);
	bench_entry *bare = add(group, case_name, &peer_bare, plan);

	stepbus->baseline = bare;
	bare->baseline = bare;
	return stepbus;
}

#ifdef BENCH_IS_SHARED

static void run_shared(const char *case_name, const bus_plan *plan, double goal_ratio)
{
	bench_group group;

	bench_group_init(&group, "bridge", "ns/publish", 0);
	add_stepbus_and_bare(&group, case_name, plan)->goal_ratio = goal_ratio;
	bench_group_run(&group);
}

int main(void)
{
	const bus_plan one = { .subscriber_count = 1, .rotation = BUS_ROTATION_MAX };
	const bus_plan sixteen = { .subscriber_count = 16, .rotation = BUS_ROTATION_MAX };

	bench_cpu_init();
	run_shared("publish_id_1_shared", &one, 3.6);
	run_shared("publish_id_16_shared", &sixteen, 1.5);
	return 0;
}

#else

static const bench_peer *const peers[] = {
#ifdef BENCH_HAS_GLIB
	&peer_gsignal,
#endif
#ifdef BENCH_HAS_BOOST
	&peer_signals2, &peer_signals2_unlocked,
#endif
#ifdef BENCH_HAS_SIGC
	&peer_sigc,
#endif
	&peer_emitter,  &peer_pyee,
};

static const bench_peer *const threaded_peers[] = {
	&peer_stepbus_bridge,
#ifdef BENCH_HAS_GLIB
	&peer_gsignal,
#endif
#ifdef BENCH_HAS_BOOST
	&peer_signals2,
#endif
	&peer_bare,
};

static void run_publish(const char *case_name, const bus_plan *plan, double goal_ratio,
			double goal_ns)
{
	bench_group group;
	bench_entry *stepbus = NULL;

	bench_group_init(&group, "bridge", "ns/publish", 0);
	stepbus = add_stepbus_and_bare(&group, case_name, plan);
	stepbus->goal_ratio = goal_ratio;
	stepbus->goal_ns = goal_ns;
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		add(&group, case_name, peers[i], plan)->baseline = stepbus->baseline;
	bench_group_run(&group);
}

/* Everybody is compared with what one thread of their own pays for the same publish. */
static void run_threads(const bus_plan *plan)
{
	bench_group group;

	bench_group_init(&group, "bridge", "ns/publish/thread", 0);
	for (size_t i = 0; i < sizeof(threaded_peers) / sizeof(threaded_peers[0]); i++) {
		bench_entry *two = add(&group, "publish_id_2threads", threaded_peers[i], plan);

		two->thread_count = 2;
		two->goal_ratio = threaded_peers[i] == &peer_stepbus_bridge ? 1.15 : 0;
		two->baseline = add(&group, NULL, threaded_peers[i], plan);
	}
	bench_group_run(&group);
}

int main(void)
{
	const bus_plan one = { .subscriber_count = 1, .rotation = BUS_ROTATION_MAX };
	const bus_plan four = { .subscriber_count = 4, .rotation = BUS_ROTATION_MAX };
	const bus_plan sixteen = { .subscriber_count = 16, .rotation = BUS_ROTATION_MAX };
	const bus_plan named = { .subscriber_count = 1,
				 .rotation = BUS_ROTATION_MAX,
				 .is_by_name = 1 };
	const bus_plan threads = { .subscriber_count = 1, .rotation = 1, .is_local = 1 };

	bench_cpu_init();
	run_publish("publish_id_1", &one, 2.2, 0);
	run_publish("publish_id_4", &four, 0, 0);
	run_publish("publish_id_16", &sixteen, 1.2, 0);
	run_publish("publish_name_1", &named, 0, 15);
	if (bench_cpu_count() >= 2)
		run_threads(&threads);
	return 0;
}

#endif
