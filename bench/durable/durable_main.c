/* SPDX-License-Identifier: MIT */
/*
 * The cases of the benchmark of durable steps, and who takes part: bench-durable FOLDER CHART
 * [quick]. FOLDER is on the disk that is measured and is empty; whoever calls removes it.
 */
#include "bench/durable/durable.h"
#include "bench/durable/peers.h"
#include "bench/durable/sqlite_raw.h"
#ifdef BENCH_HAS_STEPBUS
#include "bench/durable/stepbus_durable.h"
#endif

#include "bench/harness.h"

#include <stdio.h>
#include <string.h>

enum {
	CLAIM_COUNT = 20000,
	CLAIM_BLOCK = 256,
	MILLION = 1000 * 1000,
	MEMORY_COUNT = 300 * 1000,
};

#ifndef BENCH_HAS_GEARMAN
#define peer_gearman peer_absent
#endif
#ifndef BENCH_HAS_POSTGRES
#define peer_postgres peer_absent
#endif
#ifndef BENCH_HAS_REDIS
#define peer_redis peer_absent
#endif

#define BEANSTALKD peer_beanstalkd, "beanstalkd"
#define GEARMAN peer_gearman, "gearman-job-server libgearman-dev"
#define POSTGRES peer_postgres, "postgresql-15 libpq-dev"
#define REDIS peer_redis, "redis-server libhiredis-dev"
#define GRAPHILE peer_node, "postgresql-15 nodejs npm:graphile-worker"
#define PG_BOSS peer_node, "postgresql-15 nodejs npm:pg-boss"
#define BULLMQ peer_node, "redis-server nodejs npm:bullmq"
#define PLAINJOB peer_node, "nodejs npm:plainjob npm:better-sqlite3"

static const char *folder;

/* Somebody in a case of lifecycles. */
typedef struct lifecycle {
	const char *who;
	durable_measure measure;
	const char *needs;
	size_t first_count;
	durable_plan plan;
	bool needs_server;
} lifecycle;

#define PIPELINED .block = 100, .thread_count = 1, .window = 8000, .is_pipelined = true

static const lifecycle LIFECYCLES[] = {
	{ "sqlite_raw", sqlite_raw_lifecycle, "", 50000, { DURABLE_DISK, 1000 }, false },
#ifdef BENCH_HAS_STEPBUS
	{ "stepbus", stepbus_lifecycle, "", 20000, { DURABLE_DISK, PIPELINED }, false },
	{ "stepbus_b1000_2threads",
	  stepbus_lifecycle,
	  "",
	  20000,
	  { DURABLE_DISK, 1000, 2, .window = 8000 },
	  false },
	{ "stepbus_b100_8threads",
	  stepbus_lifecycle,
	  "",
	  20000,
	  { DURABLE_DISK, 100, 8, .window = 8000 },
	  false },
	{ "stepbus_b1_8threads",
	  stepbus_lifecycle,
	  "",
	  5000,
	  { DURABLE_DISK, 1, 8, .window = 8000 },
	  false },
#endif
	{ "sqlite_raw_b100", sqlite_raw_lifecycle, "", 20000, { DURABLE_DISK, 100 }, false },
	{ "plainjob_full", PLAINJOB, 2000, { DURABLE_DISK, .script = "plainjob" }, false },
	{ "beanstalkd_fsync", BEANSTALKD, 1000, { DURABLE_DISK, 128 }, true },
	{ "gearman_sqlite", GEARMAN, 200, { DURABLE_DISK, 100 }, true },
	{ "graphile_worker", GRAPHILE, 5000, { DURABLE_DISK, .script = "graphile" }, true },
	{ "pg_boss", PG_BOSS, 5000, { DURABLE_DISK, .script = "pg_boss" }, true },
	{ "bullmq_always", BULLMQ, 2000, { DURABLE_DISK, .script = "bullmq" }, true },
	{ "postgres_b1", POSTGRES, 500, { DURABLE_DISK, 1 }, true },
	{ "postgres_b10", POSTGRES, 3000, { DURABLE_DISK, 10 }, true },
	{ "postgres_b100", POSTGRES, 10000, { DURABLE_DISK, 100 }, true },
	{ "postgres_b1000", POSTGRES, 20000, { DURABLE_DISK, 1000 }, true },
	{ "postgres_b1000_delete",
	  POSTGRES,
	  20000,
	  { DURABLE_DISK, 1000, .is_deleting = true },
	  true },
	{ "redis_always", REDIS, 20000, { DURABLE_DISK, 1000 }, true },
	{ "redis_always_b1", REDIS, 500, { DURABLE_DISK, 1 }, true },

	{ "sqlite_raw", sqlite_raw_lifecycle, "", 50000, { DURABLE_PROCESS, 1000 }, false },
#ifdef BENCH_HAS_STEPBUS
	{ "stepbus", stepbus_lifecycle, "", 20000, { DURABLE_PROCESS, PIPELINED }, false },
#endif
	{ "plainjob_normal", PLAINJOB, 5000, { DURABLE_PROCESS, .script = "plainjob" }, false },
	{ "beanstalkd_50ms", BEANSTALKD, 5000, { DURABLE_PROCESS, 128 }, true },
	{ "graphile_worker_async",
	  GRAPHILE,
	  5000,
	  { DURABLE_PROCESS, .script = "graphile" },
	  true },
	{ "pg_boss_async", PG_BOSS, 5000, { DURABLE_PROCESS, .script = "pg_boss" }, true },
	{ "bullmq_everysec", BULLMQ, 2000, { DURABLE_PROCESS, .script = "bullmq" }, true },
	{ "postgres_b1000_async", POSTGRES, 20000, { DURABLE_PROCESS, 1000 }, true },
	{ "redis_everysec", REDIS, 20000, { DURABLE_PROCESS, 1000 }, true },

	{ "sqlite_raw", sqlite_raw_lifecycle, "", 50000, { DURABLE_MEMORY, 1000 }, false },
#ifdef BENCH_HAS_STEPBUS
	{ "stepbus", stepbus_lifecycle, "", 20000, { DURABLE_MEMORY, PIPELINED }, false },
#endif
	{ "beanstalkd_memory", BEANSTALKD, 5000, { DURABLE_MEMORY, 128 }, true },
	{ "gearman_memory", GEARMAN, 2000, { DURABLE_MEMORY, 100 }, true },
	{ "redis_memory", REDIS, 20000, { DURABLE_MEMORY, 1000 }, true },
};

/* One step after the other, each awaited until it is completed. */
static const lifecycle ONES[] = {
	{ "sqlite_raw", sqlite_raw_one, "", 500, { DURABLE_DISK, 1 }, false },
#ifdef BENCH_HAS_STEPBUS
	{ "stepbus", stepbus_lifecycle, "", 2000, { DURABLE_DISK, 1, 1 }, false },
	{ "stepbus_awaited", stepbus_one, "", 500, { DURABLE_DISK, 1 }, false },
#endif
	{ "beanstalkd_fsync", BEANSTALKD, 1000, { DURABLE_DISK, 1 }, true },
	{ "beanstalkd_fsync_awaited",
	  BEANSTALKD,
	  500,
	  { DURABLE_DISK, 1, .is_awaited = true },
	  true },
};

const char *durable_path(const char *name)
{
	size_t len = strlen(folder) + strlen(name) + 2;
	char *path = bench_alloc(len, 1);

	snprintf(path, len, "%s/%s", folder, name);
	return path;
}

static const durable_entry *find_added(const durable_bench *bench, const char *case_name,
				       const char *who)
{
	for (size_t i = 0; i < bench->entry_count; i++)
		if (strcmp(bench->entries[i].case_name, case_name) == 0 &&
		    strcmp(bench->entries[i].who, who) == 0)
			return &bench->entries[i];
	return NULL;
}

static void add_lifecycle(durable_bench *bench, const char *case_name, const lifecycle *line)
{
	durable_entry entry = { .case_name = case_name,
				.who = line->who,
				.unit = "steps/s",
				.needs = line->needs,
				.measure = line->measure,
				.plan = line->plan,
				.first_count = line->first_count };

	entry.baseline = find_added(bench, case_name, "sqlite_raw");
	durable_add(bench, &entry);
}

/* The quick form has no peers that need a server, and no contestant twice. */
static bool is_left_out(const lifecycle *line, bool is_quick)
{
	return is_quick && (line->needs_server || strstr(line->who, "_b1") != NULL);
}

static void measure_lifecycles(durable_bench *bench, durable_level level, bool is_quick)
{
	size_t first = bench->entry_count;

	for (size_t i = 0; i < sizeof(LIFECYCLES) / sizeof(LIFECYCLES[0]); i++)
		if (LIFECYCLES[i].plan.level == level && !is_left_out(&LIFECYCLES[i], is_quick))
			add_lifecycle(bench, durable_lifecycle_name(level), &LIFECYCLES[i]);
	for (size_t i = 0; level == DURABLE_DISK && i < sizeof(ONES) / sizeof(ONES[0]); i++)
		if (!(is_quick && ONES[i].needs_server))
			add_lifecycle(bench, "lifecycle_disk_one", &ONES[i]);
	durable_measure_from(bench, first);
}

/* Somebody in the other cases. The baseline is the same contestant in another case, or another one. */
static void add_case(durable_bench *bench, const durable_entry *entry, const char *baseline_case,
		     const char *baseline_who)
{
	durable_entry *added = durable_add(bench, entry);
	const durable_entry *baseline = find_added(bench, baseline_case, baseline_who);

	if (baseline != added)
		added->baseline = baseline;
}

static void add_enqueue(durable_bench *bench, const char *who, durable_measure measure)
{
	static const char *const cases[] = { "enqueue_disk_1thread", "enqueue_disk_8threads",
					     "enqueue_disk_64threads" };
	static const size_t threads[] = { 1, 8, 64 };

	for (size_t i = 0; i < 3; i++) {
		durable_entry entry = { .case_name = cases[i],
					.who = who,
					.unit = "steps/s",
					.measure = measure,
					.plan = { DURABLE_DISK, 1, threads[i] },
					.first_count = 1000 };

		add_case(bench, &entry, cases[0], who);
	}
}

static void measure_enqueue(durable_bench *bench)
{
	size_t first = bench->entry_count;

	add_enqueue(bench, "sqlite_raw", sqlite_raw_enqueue_threads);
#ifdef BENCH_HAS_STEPBUS
	add_enqueue(bench, "stepbus", stepbus_enqueue_threads);
#endif
	durable_measure_from(bench, first);
}

static void add_latency(durable_bench *bench, const char *case_name, const char *who,
			durable_measure measure)
{
	durable_entry entry = { .case_name = case_name,
				.who = who,
				.unit = "us",
				.measure = measure,
				.first_count = 200 };

	add_case(bench, &entry, "start_latency_disk", "fdatasync");
}

static void measure_latency(durable_bench *bench)
{
	size_t first = bench->entry_count;

	add_latency(bench, "start_latency_disk", "fdatasync", peer_fdatasync);
#ifdef BENCH_HAS_STEPBUS
	add_latency(bench, "start_latency_disk", "stepbus", stepbus_start_latency);
	add_latency(bench, "start_latency_2processes", "stepbus", stepbus_start_latency_2processes);
#endif
	durable_measure_from(bench, first);
}

static void add_claim(durable_bench *bench, const char *case_name, size_t pending, const char *who,
		      durable_measure measure)
{
	durable_entry entry = {
		.case_name = case_name,
		.who = who,
		.unit = "us/step",
		.measure = measure,
		.plan = { .level = DURABLE_PROCESS, .block = CLAIM_BLOCK, .pending = pending },
		.first_count = CLAIM_COUNT
	};

	add_case(bench, &entry, "claim_1k", who);
}

static void measure_claims(durable_bench *bench, bool is_quick)
{
	static const char *const cases[] = { "claim_1k", "claim_100k", "claim_1m", "claim_5m" };
	static const size_t pending[] = { 1000, 100 * 1000, MILLION, 5 * MILLION };
	size_t first = bench->entry_count;

	for (size_t i = 0; i < 4; i++) {
		if (!is_quick || i == 0)
			add_claim(bench, cases[i], pending[i], "sqlite_raw", sqlite_raw_claim_cost);
#ifdef BENCH_HAS_STEPBUS
		if (!is_quick || i == 0 || i == 3)
			add_claim(bench, cases[i], pending[i], "stepbus", stepbus_claim_cost);
#endif
	}
	durable_measure_from(bench, first);
}

static void add_other(durable_bench *bench, const char *case_name, const char *unit,
		      const char *who, durable_measure measure)
{
	durable_entry entry = { .case_name = case_name,
				.who = who,
				.unit = unit,
				.measure = measure,
				.plan = { .level = DURABLE_PROCESS, .block = CLAIM_BLOCK } };

	entry.plan.pending = strcmp(case_name, "reopen_1m") == 0 ? MILLION : MEMORY_COUNT;
	add_case(bench, &entry, case_name, "sqlite_raw");
}

static void measure_reopen(durable_bench *bench, bool is_quick)
{
	size_t first = bench->entry_count;

	if (!is_quick)
		add_other(bench, "reopen_1m", "ms", "sqlite_raw", sqlite_raw_reopen);
#ifdef BENCH_HAS_STEPBUS
	add_other(bench, "reopen_1m", "ms", "stepbus", stepbus_reopen);
#endif
	durable_measure_from(bench, first);
}

/* What does not change from round to round. */
static void measure_once(durable_bench *bench)
{
	size_t first = bench->entry_count;

	bench->round_count = 1;
	add_other(bench, "wal_peak", "MiB", "sqlite_raw", sqlite_raw_wal_peak);
#ifdef BENCH_HAS_STEPBUS
	add_other(bench, "wal_peak", "MiB", "stepbus", stepbus_wal_peak);
	add_other(bench, "memory_pending", "bytes/step", "stepbus", stepbus_memory_pending);
#endif
	durable_measure_from(bench, first);
}

int main(int count, char **args)
{
	static durable_bench bench = { .round_count = 5, .slice_s = 0.8 };
	bool is_quick = count > 3 && strcmp(args[3], "quick") == 0;

	if (count < 3)
		bench_die("usage: bench-durable FOLDER CHART [quick]");
	folder = args[1];
	sqlite_raw_init();
	if (is_quick) {
		bench.round_count = 3;
		bench.slice_s = 0.12;
	}
	for (int level = DURABLE_DISK; level <= DURABLE_MEMORY; level++)
		measure_lifecycles(&bench, (durable_level)level, is_quick);
	measure_enqueue(&bench);
	measure_latency(&bench);
	measure_claims(&bench, is_quick);
	measure_reopen(&bench, is_quick);
	measure_once(&bench);
	durable_report_goals(&bench);
	durable_chart_write(&bench, args[2]);
	fprintf(stderr, "\nchart: %s\n", args[2]);
	return 0;
}
