/* SPDX-License-Identifier: MIT */
#include "sim/sim/world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/host.h"
#include "ffi/cron_step.h"
#include "sim/sim/chronicle.h"
#include "torture/history/observer.h"

enum { LOG_LEN_MAX = 65536, NS_PER_US = 1000, NS_PER_MS = 1000000, LOG_COUNT_MAX = 16 };

const char *const sim_handler_names[HANDLER_COUNT] = { "h.plain", "h.other", "h.third", "h.last" };

static const int64_t begin_us = INT64_C(1800000000000000);

uint64_t sim_draw(sim *s, uint64_t count)
{
	uint64_t z = s->world.random += 0x9E3779B97F4A7C15ULL;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	z ^= z >> 31;
	return count > 0 ? z % count : z;
}

bool sim_chance(sim *s, int per_mille)
{
	return (int)sim_draw(s, 1000) < per_mille;
}

int64_t sim_wall_us(const sim_process *p)
{
	const sim_world *w = &p->sim->world;

	return w->wall_base_us + w->elapsed_ns / NS_PER_US + p->wall_skew_us;
}

static int64_t now_us(void *user_data)
{
	sim_process *p = user_data;

	p->sim->world.elapsed_ns += NS_PER_US;
	return sim_wall_us(p);
}

static int64_t elapsed_ns(void *user_data)
{
	sim_process *p = user_data;

	p->sim->world.elapsed_ns += NS_PER_US;
	return p->sim->world.elapsed_ns + p->elapsed_skip_ns;
}

static int32_t fill_random(void *user_data, void *bytes, size_t len)
{
	sim_process *p = user_data;
	uint8_t *next = bytes;

	for (size_t i = 0; i < len; i++)
		next[i] = (uint8_t)sim_draw(p->sim, 256);
	return STEPBUS_OK;
}

static void *allocate(void *user_data, void *block, size_t len)
{
	sim_process *p = user_data;

	if (len == 0) {
		free(block);
		return NULL;
	}
	if (p->famine_in > 0 && --p->famine_in == 0) {
		p->was_starved = true;
		p->famine_in = --p->famine_left > 0;
		return NULL;
	}
	return realloc(block, len);
}

static sb_engine_options engine_options(const sim *s)
{
	return (sb_engine_options){
		.is_in_memory = !s->options.is_on_disk,
		.path = s->options.is_on_disk ? s->world.path : "",
		.durability = s->options.is_on_disk ? SB_DURABILITY_PROCESS : SB_DURABILITY_MEMORY,
		.busy_timeout_ms = 1,
		.wal_alarm_bytes = INT64_C(256) << 20,
		.payload_len_max = 1U << 20,
		.lease_ms = LEASE_MS,
		.heartbeat_ms = LEASE_MS / 3,
		.poll_ms = 200,
		.group_count_max = 4096,
		.waiting_count_max = 65536,
		.keep_completed_us = s->world.keep_completed_us,
		.keep_failed_us = -1,
		.keep_cancelled_us = -1,
		.sweep_count_max = 100,
		.crash_count_max = CRASH_COUNT_MAX_SIM,
		.breaker_failure_count = 3,
		.breaker_open_ms = 500,
		.retry = { STEPBUS_RETRY_FIXED, 3, 50000, 1000000, 10 },
		.cron_reader = &sb_cron_step_reader,
		.is_still = true,
	};
}

static stepbus_status register_handlers(sim_process *p)
{
	stepbus_status status = STEPBUS_OK;

	for (int i = 0; i < HANDLER_COUNT && status == STEPBUS_OK; i++) {
		const stepbus_handler_spec spec = { .size = sizeof spec,
						    .flags = STEPBUS_HANDLER_PULLED,
						    .name = sim_handler_names[i],
						    .name_len = strlen(sim_handler_names[i]) };

		status = stepbus_registry_register(stepbus_engine_registry(p->engine), &spec, NULL);
	}
	return status;
}

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	sim_process *p = user_data;
	const stepbus_completion *c = payload;
	sim *s = p->sim;
	int step, attempt;

	(void)event_id;
	(void)len;
	step = sim_model_find(s, c->step_id);
	attempt = step >= 0 ? sim_model_attempt(s, step, (int64_t)c->token) : -1;
	if (attempt < 0) {
		sim_violate(s, step, "Q17", "a completion of an unknown attempt is told");
		return STEPBUS_OK;
	}
	CHRONICLE(s, LOG_COMPLETED, p, s->steps[step].row.id, (int64_t)c->token, c->outcome,
		  c->outcome == STEPBUS_OUTCOME_SUCCESS ?
			  observer_digest(c->result, c->result_len) :
			  0);
	s->attempts[attempt].told_count++;
	s->attempts[attempt].told_outcome = c->outcome;
	return STEPBUS_OK;
}

static stepbus_status listen_to(sim_process *p)
{
	const stepbus_subscription told = { .size = sizeof told, .deliver = hear, .user_data = p };
	static const char name[] = STEPBUS_EVENT_STEP_COMPLETION_SENT;

	if (!p->is_listened_to)
		return STEPBUS_OK;
	return stepbus_bridge_subscribe(stepbus_engine_bridge(p->engine), name, sizeof name - 1,
					&told, NULL, NULL);
}

bool sim_process_start(sim_process *p)
{
	const sb_engine_options options = engine_options(p->sim);
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status;
	stepbus_host host;

	disk_enter(p->number);
	p->elapsed_skip_ns = 0;
	p->stalled_until_ns = 0;
	p->is_listened_to = sim_chance(p->sim, 500);
	host = (stepbus_host){ .size = sizeof host,
			       .log_level = STEPBUS_LOG_ERROR + 1,
			       .user_data = p,
			       .allocate = allocate,
			       .now_us = now_us,
			       .elapsed_ns = elapsed_ns,
			       .random = fill_random };
	if (sb_host_fill(&host, &p->host, &err) != STEPBUS_OK)
		return false;
	p->engine = NULL;
	status = sb_engine_open(&options, &p->host, NULL, &p->engine, &err);
	if (status == STEPBUS_OK)
		status = register_handlers(p);
	if (status == STEPBUS_OK)
		status = listen_to(p);
	p->is_up = p->engine != NULL;
	if (p->is_up) {
		p->life++;
		memcpy(p->sim->tag, p->engine->store->tag, sizeof p->sim->tag);
	}
	if (p->is_up)
		CHRONICLE(p->sim, LOG_READY, p, 0);
	if (p->is_up && status != STEPBUS_OK)
		sim_process_close(p);
	if (status != STEPBUS_OK && !sim_judge_is_excused(p->sim, p, status))
		sim_violate(p->sim, -1, "open", "status %d: %s", status, err.message);
	return status == STEPBUS_OK;
}

static const char *const strategies[] = { "priority", "fifo", "lifo", "weighted_random" };

static const sb_claim_strategy strategy_numbers[] = { SB_CLAIM_PRIORITY, SB_CLAIM_FIFO,
						      SB_CLAIM_LIFO, SB_CLAIM_WEIGHTED_RANDOM };

bool sim_worker_start(sim_process *p, int slot)
{
	sim *s = p->sim;
	int strategy = (int)sim_draw(s, sizeof strategies / sizeof *strategies);
	const sb_worker_options options = {
		.name = sb_slice_z("w"),
		.strategy = strategy_numbers[strategy],
		.queues = slot > 0 && sim_chance(s, 300) ? sb_slice_z("plain,narrow") :
							   sb_slice_z(""),
		.capabilities = sb_slice_z(""),
		.block_size = 1 + (uint32_t)sim_draw(s, 6),
		.age_percent = 10,
		.is_pull = true,
	};
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_status status = sb_worker_start(p->engine, &options, &p->workers[slot], &err);

	if (status == STEPBUS_OK)
		return true;
	p->workers[slot] = NULL;
	if (!sim_judge_is_excused(s, p, status))
		sim_violate(s, -1, "worker", "starting one: status %d: %s", status, err.message);
	return false;
}

/* What the host of a worker has polled is no longer its own. */
static void give_up_attempts(sim *s, const sim_process *p, int slot)
{
	for (int i = 0; i < s->attempt_count; i++) {
		sim_attempt *a = &s->attempts[i];

		if (a->process == p->number && a->life == p->life && (slot < 0 || a->slot == slot))
			a->is_done = true;
	}
}

static void end_leases(sim *s, const sim_process *p, int64_t worker_id)
{
	for (int i = 0; i < s->lease_count; i++)
		if (s->leases[i].process == p->number && s->leases[i].life == p->life &&
		    (worker_id == 0 || s->leases[i].worker_id == worker_id))
			s->leases[i].is_ended = true;
}

void sim_worker_free(sim_process *p, int slot)
{
	stepbus_worker *worker = p->workers[slot];

	end_leases(p->sim, p, worker->row.id);
	stepbus_worker_free(worker);
	p->workers[slot] = NULL;
	give_up_attempts(p->sim, p, slot);
}

void sim_process_close(sim_process *p)
{
	end_leases(p->sim, p, 0);
	stepbus_close(p->engine);
	CHRONICLE(p->sim, LOG_KILLED, p, 0);
	give_up_attempts(p->sim, p, -1);
	p->engine = NULL;
	p->is_up = false;
	p->famine_in = 0;
	memset(p->workers, 0, sizeof p->workers);
	disk_heal(p->number);
}

/* A start log as the end of its process leaves it. */
typedef struct kept_log {
	char path[PATH_LEN * 2];
	char bytes[LOG_LEN_MAX];
	size_t len;
} kept_log;

static void keep_log(const sim_process *p, const stepbus_worker *worker, kept_log *log)
{
	FILE *file;

	(void)snprintf(log->path, sizeof log->path, "%s-started-%ld-%lld", p->engine->options.path,
		       (long)getpid(), (long long)worker->row.id);
	file = fopen(log->path, "rb");
	log->len = file != NULL ? fread(log->bytes, 1, sizeof log->bytes, file) : 0;
	if (file != NULL)
		fclose(file);
}

static void restore_log(const kept_log *log)
{
	FILE *file = log->len > 0 ? fopen(log->path, "wb") : NULL;

	if (file == NULL)
		return;
	if (fwrite(log->bytes, 1, log->len, file) != log->len)
		perror(log->path);
	fclose(file);
}

/*
 * To free its memory the engine is closed; cut off from the disk, and without its leases, it writes
 * nothing and waits for nothing. What it would mark in its start logs is undone.
 */
void sim_process_crash(sim_process *p)
{
	static kept_log logs[WORKER_MAX];

	disk_enter(p->number);
	for (int i = 0; i < WORKER_MAX; i++) {
		logs[i].len = 0;
		if (p->workers[i] != NULL)
			keep_log(p, p->workers[i], &logs[i]);
	}
	CHRONICLE(p->sim, LOG_KILLED, p, 0);
	disk_cut(p->number);
	p->famine_in = 0;
	p->is_listened_to = false;
	p->elapsed_skip_ns = INT64_C(10000000) * NS_PER_MS;
	stepbus_close(p->engine);
	give_up_attempts(p->sim, p, -1);
	p->engine = NULL;
	p->is_up = false;
	p->was_broken = false;
	memset(p->workers, 0, sizeof p->workers);
	disk_heal(p->number);
	for (int i = 0; i < WORKER_MAX; i++)
		restore_log(&logs[i]);
}

void sim_process_heal(sim_process *p)
{
	disk_heal(p->number);
	p->famine_in = 0;
	p->was_starved = false;
	p->stalled_until_ns = 0;
}

static void set_queues(sim *s)
{
	static const sim_queue queues[QUEUE_COUNT] = {
		{ "plain", "{}", 0, 0, false },
		{ "narrow", "{\"concurrency_max\":3}", 3, 0, false },
		{ "keyed", "{\"key_concurrency_max\":1}", 0, 1, false },
		{ "slow", "{\"rate_count\":5,\"rate_period_ms\":1000}", 0, 0, false },
	};
	stepbus *engine = s->world.processes[0].engine;

	for (int i = 0; i < QUEUE_COUNT; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		const char *settings = queues[i].settings;
		const char *name = queues[i].name;

		s->world.queues[i] = queues[i];
		if (stepbus_queue_set(engine, name, strlen(name), settings, strlen(settings),
				      &err) != STEPBUS_OK)
			sim_violate(s, -1, "queue", "%s", err.message);
	}
}

static void set_cron(sim *s)
{
	static const char entry[] = "{\"name\":\"c\",\"expression\":\"*/10 * * * * *\","
				    "\"catch_up\":\"all\",\"step\":{\"handler\":\"h.plain\","
				    "\"queue\":\"plain\",\"input\":\"cron\"}}";
	stepbus_error err = STEPBUS_ERROR_INIT;

	if (s->cron_every_us != 0 && stepbus_cron_set(s->world.processes[0].engine, entry,
						      sizeof entry - 1, &err) != STEPBUS_OK)
		sim_violate(s, -1, "cron", "%s", err.message);
}

void sim_world_begin(sim *s)
{
	sim_world *w = &s->world;

	/* Drawn once, so that the numbers of neighbouring seeds are not each other's. */
	w->random = s->options.seed * 2 + (s->options.is_on_disk ? 1 : 0);
	w->random = sim_draw(s, 0);
	w->elapsed_ns = INT64_C(1000000000);
	w->wall_base_us = begin_us;
	(void)snprintf(w->path, sizeof w->path, "%s/s.db", s->options.directory);
	disk_clear();
	w->process_count = s->options.is_on_disk ? 1 + (int)sim_draw(s, PROCESS_MAX) : 1;
	w->worker_count = 1 + (int)sim_draw(s, WORKER_MAX);
	w->keep_completed_us = sim_chance(s, 300) ? INT64_C(2000000) : -1;
	s->cron_every_us = sim_chance(s, 200) ? INT64_C(10000000) : 0;
	chronicle_begin(s);
	for (int i = 0; i < w->process_count; i++) {
		sim_process *p = &w->processes[i];

		*p = (sim_process){ .sim = s, .number = i + 1 };
		/* Clocks of one machine, but none of them knows that. */
		p->wall_skew_us = sim_chance(s, 300) ? (int64_t)sim_draw(s, 2000000) - 1000000 : 0;
		if (!sim_process_start(p))
			continue;
		if (i == 0)
			set_queues(s);
		if (i == 0)
			set_cron(s);
		for (int k = 0; k < w->worker_count; k++)
			(void)sim_worker_start(p, k);
		sim_model_note_leases(s, p, false);
	}
}

static void remove_files(const sim *s)
{
	char path[PATH_LEN * 4];
	DIR *directory = opendir(s->options.directory);
	const struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (strncmp(entry->d_name, "s.db", 4) != 0)
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", s->options.directory, entry->d_name);
		(void)unlink(path);
	}
	if (directory != NULL)
		closedir(directory);
}

void sim_world_end(sim *s)
{
	for (int i = 0; i < s->world.process_count; i++) {
		sim_process *p = &s->world.processes[i];

		disk_enter(p->number);
		sim_process_heal(p);
		if (p->is_up)
			sim_process_crash(p);
	}
	sim_observe_end(s);
	if (s->options.is_on_disk)
		remove_files(s);
}
