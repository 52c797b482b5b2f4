/* SPDX-License-Identifier: MIT */
#include "torture/power/host.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite_store.h"
#include "torture/power/image.h"
#include "torture/power/network.h"
#include "torture/power/recorder.h"

enum { LEASE_OVER_MS = 60000, ANEW_ACTIONS = 8 };

static const int64_t began_us = INT64_C(1700000000) * 1000000;

uint64_t host_draw(host *h, uint64_t count)
{
	h->random += 0x9E3779B97F4A7C15ULL;
	return image_mix(h->random, 5) % count;
}

int64_t host_number(const uint8_t id[16])
{
	int64_t number = 0;

	for (int i = 0; i < 6; i++)
		number = number << 8 | id[i];
	return number;
}

/* What may be answered to a call that comes late, or asks for what is not possible. */
static bool is_usual(stepbus_status status)
{
	return status == STEPBUS_OK || status == STEPBUS_EALREADY || status == STEPBUS_ESTALE ||
	       status == STEPBUS_ECANCELLED || status == STEPBUS_ENOTFOUND ||
	       status == STEPBUS_ETIMEDOUT || status == STEPBUS_EBUSY;
}

bool host_answered(host *h, const char *what, stepbus_status status)
{
	bool has_failed = recorder_has_failed();

	h->result->refused += has_failed && status != STEPBUS_OK;
	if (!is_usual(status) && !has_failed && h->result->message[0] == '\0')
		(void)snprintf(h->result->message, sizeof h->result->message, "%s: %s, %.400s",
			       what, stepbus_status_name(status), h->err.message);
	return status == STEPBUS_OK;
}

static int32_t run(void *instance, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);
	const stepbus_failure failure = { .size = sizeof failure,
					  .is_retryable = step->input_len % 2 == 0,
					  .retry_after_ms = -1,
					  .message = "as it was told to",
					  .message_len = 17 };
	const stepbus_checkpoint_spec checkpoint = { .size = sizeof checkpoint,
						     .cursor = "half",
						     .cursor_len = 4 };

	(void)instance;
	if (step->input_len % 7 == 3)
		return stepbus_result_failure(result, &failure, NULL);
	if (step->input_len % 7 == 4 && step->cursor_len == 0)
		return stepbus_result_checkpoint(result, &checkpoint, NULL);
	return stepbus_result_success(result, step->input, step->input_len, NULL);
}

static int32_t hear(void *user_data, uint32_t event_id, const void *payload, size_t len)
{
	host_engine *e = user_data;
	const stepbus_completion *c = NULL;

	(void)event_id;
	if (stepbus_payload_completion(payload, len, &c, NULL) != STEPBUS_OK)
		return 0;
	/* Of the others no attempt is kept. */
	if (c->outcome != STEPBUS_OUTCOME_SUCCESS && c->outcome != STEPBUS_OUTCOME_FAILURE &&
	    c->outcome != STEPBUS_OUTCOME_SNOOZE)
		return 0;
	record_ack(e->host->record,
		   (ack){ .kind = c->outcome == STEPBUS_OUTCOME_SUCCESS ? ACK_SUCCEEDED : ACK_TRIED,
			  .level = e->level,
			  .step = host_number(c->step_id),
			  .token = (int64_t)c->token,
			  .digest = image_hash_bytes(c->result, c->result_len) });
	return 0;
}

static bool prepare(host_engine *e)
{
	host *h = e->host;
	const stepbus_subscription hearing = { .size = sizeof hearing,
					       .deliver = hear,
					       .user_data = e };
	const stepbus_handler_spec pool = {
		.size = sizeof pool, .name = "pool", .name_len = 4, .call = run
	};
	const stepbus_handler_spec pull = {
		.size = sizeof pull, .flags = STEPBUS_HANDLER_PULLED, .name = "pull", .name_len = 4
	};
	stepbus_registry *registry = stepbus_engine_registry(e->engine);
	stepbus_worker *worker = NULL;
	stepbus_status status = stepbus_bridge_subscribe(stepbus_engine_bridge(e->engine),
							 STEPBUS_TEXT("step.completion.sent"),
							 &hearing, NULL, &h->err);

	if (status == STEPBUS_OK)
		status = stepbus_registry_register(registry, &pool, &h->err);
	if (status == STEPBUS_OK)
		status = stepbus_registry_register(registry, &pull, &h->err);
	if (status == STEPBUS_OK)
		status = stepbus_worker_start(e->engine,
					      STEPBUS_TEXT("{\"pull\":true,\"block_size\":4}"),
					      &e->puller, &h->err);
	if (status == STEPBUS_OK && host_draw(h, 2) == 0)
		status = stepbus_worker_start(e->engine,
					      STEPBUS_TEXT("{\"pool_size\":1,\"block_size\":3}"),
					      &worker, &h->err);
	return host_answered(h, "start workers", status);
}

/* The control: what the engine believes to be on the disk is not waited for. */
static void be_hasty(stepbus *engine)
{
	sb_writer_lead(&engine->writer);
	(void)sqlite3_exec(sb_sqlite_store_of(engine->store)->writer.db,
			   "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
	sb_writer_yield(&engine->writer);
}

static bool open_one(host *h, int number, int level)
{
	host_engine *e = &h->engines[number];
	char config[1024];
	int len = snprintf(config, sizeof config,
			   "{\"store\":\"sqlite:%s\",\"durability\":\"%s\",\"allow_network_fs\":%s,"
			   "\"poll_ms\":10,\"retention\":{\"completed_ms\":3000,"
			   "\"failed_ms\":9000,\"cancelled_ms\":3000},"
			   "\"retry\":{\"kind\":\"fixed\",\"base_ms\":20,"
			   "\"attempt_count_max\":3}}",
			   h->options->path, level == STEPBUS_DURABILITY_DISK ? "disk" : "process",
			   (h->options->flags & WORKLOAD_NETWORK) != 0 ? "true" : "false");
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = (size_t)len,
					  .host = &h->lent };

	*e = (host_engine){ .host = h, .level = level };
	if (!host_answered(h, "open", stepbus_open(&options, &e->engine, &h->err)))
		return false;
	h->engine_count = number + 1;
	if ((h->options->flags & WORKLOAD_HASTY) != 0)
		be_hasty(e->engine);
	return prepare(e);
}

static bool open_all(host *h)
{
	bool is_open = open_one(h, 0, h->options->level);

	if (is_open && (h->options->flags & WORKLOAD_MIXED) != 0)
		is_open = open_one(h, 1, STEPBUS_DURABILITY_PROCESS);
	return is_open;
}

static void close_all(host *h)
{
	while (h->engine_count > 0)
		stepbus_close(h->engines[--h->engine_count].engine);
	h->held_count = 0;
}

bool host_reopen(host *h)
{
	close_all(h);
	return open_all(h);
}

bool host_open_anew(host *h)
{
	/* Results that cannot be written are waited for until the lease is over. */
	(void)stepbus_clock_advance(h->clock, LEASE_OVER_MS, NULL);
	close_all(h);
	recorder_fail_sync(0);
	h->result->has_failed = true;
	h->result->is_anew = true;
	h->was_failed = false;
	h->acks_before = h->record->ack_count;
	return open_all(h);
}

/* What version 1 left: the tables of this one, without what the second migration brings. */
static bool make_old(host *h)
{
	bool is_made = open_one(h, 0, STEPBUS_DURABILITY_PROCESS);
	sqlite3 *db = NULL;

	for (int i = 0; is_made && i < 5; i++) {
		const stepbus_step_spec spec = { .size = sizeof spec,
						 .handler_name = "pull",
						 .handler_name_len = 4 };

		is_made = host_answered(
			h, "enqueue",
			stepbus_step_enqueue(h->engines[0].engine, &spec, 1, NULL, &h->err));
	}
	close_all(h);
	if (!is_made)
		return false;
	is_made = sqlite3_open(h->options->path, &db) == SQLITE_OK &&
		  sqlite3_exec(db,
			       "DROP TABLE checkpoint; ALTER TABLE state DROP COLUMN "
			       "checkpoint_count; PRAGMA user_version = 1",
			       NULL, NULL, NULL) == SQLITE_OK;
	(void)sqlite3_close(db);
	return is_made;
}

bool host_begin(host *h)
{
	const workload_options *o = h->options;

	h->err = (stepbus_error)STEPBUS_ERROR_INIT;
	h->random = o->seed;
	for (size_t i = 0; i < sizeof h->bytes; i++)
		h->bytes[i] = (uint8_t)host_draw(h, 256);
	h->lent.size = sizeof h->lent;
	if (stepbus_clock_new(began_us, &h->clock, NULL) != STEPBUS_OK ||
	    stepbus_clock_lend(h->clock, &h->lent, NULL) != STEPBUS_OK)
		return false;
	network_pretend((o->flags & WORKLOAD_NETWORK) != 0);
	if ((o->flags & WORKLOAD_OLD) != 0 && !make_old(h))
		return false;
	recorder_begin(h->record, o->path, (o->flags & WORKLOAD_DEAF) != 0 ? RECORDER_DEAF : 0);
	return open_all(h);
}

void host_end(host *h)
{
	/* Results that cannot be written are waited for until the lease is over. */
	if (recorder_has_failed())
		(void)stepbus_clock_advance(h->clock, LEASE_OVER_MS, NULL);
	close_all(h);
	recorder_end();
	network_pretend(false);
	stepbus_clock_free(h->clock);
}

void workload_clear(const char *path)
{
	const char *slash = strrchr(path, '/');
	char name[1024];
	DIR *directory;

	(void)snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
	directory = opendir(name);
	for (const struct dirent *e; directory != NULL && (e = readdir(directory)) != NULL;) {
		if (strncmp(e->d_name, slash + 1, strlen(slash + 1)) != 0)
			continue;
		(void)snprintf(name, sizeof name, "%.*s/%s", (int)(slash - path), path, e->d_name);
		(void)unlink(name);
	}
	if (directory != NULL)
		(void)closedir(directory);
}

void workload_run(record *r, const workload_options *o, workload_result *out)
{
	host h = { .options = o, .result = out, .record = r };

	*out = (workload_result){ 0 };
	if (host_begin(&h)) {
		recorder_fail_sync(o->fail_sync);
		for (int i = 0; i < o->action_count && out->message[0] == '\0' &&
				h.anew_actions < ANEW_ACTIONS;
		     i++) {
			host_act(&h);
			out->actions++;
			h.anew_actions += out->is_anew;
		}
	}
	out->has_failed = out->has_failed || recorder_has_failed();
	host_end(&h);
	if (out->is_anew)
		out->anew_acks = r->ack_count - h.acks_before;
	workload_clear(o->path);
	out->is_done = out->message[0] == '\0';
}
