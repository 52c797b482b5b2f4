/* SPDX-License-Identifier: MIT */
/* The processes of a row: hosts with a pool, hosts that pull, and the client. */
#include "torture/kill/poison.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "torture/kill/roles.h"

enum { INNOCENT_COUNT = 20, POLLED_MAX = 8, CONFIG_LEN = 1024, AWAIT_MS = 60000 };

static void open_engine(poison_host *host)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	char config[CONFIG_LEN];
	int len = snprintf(config, sizeof config,
			   "{\"store\":\"sqlite:%s/jobs.db\",\"lease_ms\":%d,\"heartbeat_ms\":200,"
			   "\"poll_ms\":50,\"durability\":\"process\",\"payload_len_max\":%d,"
			   "\"retry\":{\"kind\":\"fixed\",\"base_ms\":20,\"attempt_count_max\":3}}",
			   host->directory, POISON_LEASE_MS, POISON_PAYLOAD_LEN_MAX);
	const stepbus_options options = { .size = sizeof options,
					  .config = config,
					  .config_len = (size_t)len };

	if (stepbus_open(&options, &host->engine, &err) != STEPBUS_OK) {
		(void)fprintf(stderr, "%s: %s\n", host->row->name, err.message);
		_exit(90);
	}
}

void poison_tell(const poison_host *host, const char *fact, int64_t value)
{
	char path[POISON_PATH_LEN + 16], line[64];
	int len = snprintf(line, sizeof line, "%s %ld\n", fact, value);
	int fd;

	(void)snprintf(path, sizeof path, "%s/facts", host->directory);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)len) != len)
		abort();
	(void)close(fd);
}

static int32_t work(void *host, const stepbus_context *context, stepbus_result *result)
{
	const stepbus_step_event *step = stepbus_context_step(context);

	role_pause_us(((const poison_host *)host)->row->innocent_ms * 1000);
	(void)stepbus_result_success(result, step->input, step->input_len, NULL);
	return 0;
}

static void expect(const poison_host *host, stepbus_status status, const stepbus_error *err)
{
	if (status == STEPBUS_OK)
		return;
	(void)fprintf(stderr, "%s: %s\n", host->row->name, err->message);
	_exit(91);
}

static void serve(poison_host *host, const char *name, stepbus_handler_fn call)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	const stepbus_handler_spec spec = {
		.size = sizeof spec,
		.flags = host->row->answer != NULL ? STEPBUS_HANDLER_PULLED : 0,
		.name = name,
		.name_len = strlen(name),
		.attempt_timeout_ms =
			strcmp(name, "poison") == 0 ? host->row->attempt_timeout_ms : 0,
		.call = host->row->answer != NULL ? NULL : call,
		.user_data = host,
	};

	expect(host, stepbus_registry_register(stepbus_engine_registry(host->engine), &spec, &err),
	       &err);
}

static void start_worker(poison_host *host)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	char config[CONFIG_LEN];
	int len = snprintf(config, sizeof config, "{\"block_size\":8,\"pool_size\":4}");

	if (host->row->answer != NULL)
		len = snprintf(config, sizeof config,
			       "{\"block_size\":8,\"pull\":true,\"silence_timeout_ms\":%ld}",
			       host->row->silence_timeout_ms);
	expect(host, stepbus_worker_start(host->engine, config, (size_t)len, &host->worker, &err),
	       &err);
}

static void answer_innocent(const poison_host *host, const stepbus_step_event *step)
{
	stepbus_completion c = { .size = sizeof c,
				 .outcome = STEPBUS_OUTCOME_SUCCESS,
				 .token = step->token,
				 .retry_after_ms = -1,
				 .result = step->input,
				 .result_len = step->input_len };

	memcpy(c.step_id, step->step_id, sizeof c.step_id);
	(void)stepbus_complete(host->engine, &c, 1, NULL, NULL);
}

/* The poison comes first, when the others of its batch are polled and not answered. */
static void pull(poison_host *host)
{
	while (!role_is_ended()) {
		stepbus_step_event events[POLLED_MAX] = { { .size = sizeof *events } };
		size_t count = 0;

		(void)stepbus_poll(host->worker, events, POLLED_MAX, 50, &count, NULL);
		for (size_t i = 0; i < count; i++)
			if (memcmp(events[i].handler_name, "poison", 6) == 0)
				host->row->answer(host, &events[i]);
		for (size_t i = 0; i < count; i++)
			if (memcmp(events[i].handler_name, "poison", 6) != 0)
				answer_innocent(host, &events[i]);
	}
}

static void limit_memory(const poison_host *host)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;
	struct rlimit limit;

	if (file == NULL || fscanf(file, "%lu", &pages) != 1)
		abort();
	(void)fclose(file);
	limit.rlim_cur = pages * (unsigned long)sysconf(_SC_PAGESIZE) +
			 (unsigned long)host->row->memory_mib * 1048576;
	limit.rlim_max = limit.rlim_cur;
	(void)setrlimit(RLIMIT_AS, &limit);
}

static int play_host(poison_host *host)
{
	const struct rlimit no_core = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &no_core);
	open_engine(host);
	serve(host, "work", work);
	serve(host, "poison", host->row->run);
	start_worker(host);
	if (host->row->memory_mib > 0)
		limit_memory(host);
	if (host->row->answer != NULL)
		pull(host);
	else
		role_wait();
	stepbus_close(host->engine);
	return 0;
}

static void enqueue(poison_host *host, stepbus_enqueued *out)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_step_spec specs[INNOCENT_COUNT + 1];
	char inputs[INNOCENT_COUNT + 1][16];

	for (size_t i = 0; i <= INNOCENT_COUNT; i++) {
		int len = snprintf(inputs[i], sizeof inputs[i], "%zu", i);

		/* In the middle of the others, so that it is claimed together with some. */
		specs[i] = (stepbus_step_spec){
			.size = sizeof specs[i],
			.handler_name = i == 3 ? "poison" : "work",
			.handler_name_len = i == 3 ? 6 : 4,
			.input = inputs[i],
			.input_len = (size_t)len,
		};
	}
	out[0].size = sizeof out[0];
	expect(host, stepbus_step_enqueue(host->engine, specs, INNOCENT_COUNT + 1, out, &err),
	       &err);
}

/* That a worker has it; its handler is called soon. */
static void wait_until_running(const poison_host *host, const uint8_t id[16])
{
	bool is_running = false;

	while (!is_running) {
		stepbus_text *text = NULL;

		role_pause_us(2000);
		if (stepbus_step_info(host->engine, id, &text, NULL) == STEPBUS_OK)
			is_running =
				strstr(stepbus_text_data(text), "\"state\":\"running\"") != NULL;
		stepbus_text_free(text);
	}
}

static int play_client(poison_host *host)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_enqueued out[INNOCENT_COUNT + 1] = { 0 };

	open_engine(host);
	enqueue(host, out);
	if (host->row->cancel_after_ms > 0) {
		wait_until_running(host, out[3].step_id);
		role_pause_us(host->row->cancel_after_ms * 1000);
		expect(host, stepbus_step_cancel(host->engine, out[3].step_id, &err), &err);
	}
	for (size_t i = 0; i <= INNOCENT_COUNT; i++) {
		stepbus_outcome *outcome = NULL;

		expect(host,
		       stepbus_step_await(host->engine, out[i].step_id, AWAIT_MS, &outcome, &err),
		       &err);
		stepbus_outcome_free(outcome);
	}
	stepbus_close(host->engine);
	return 0;
}

int poison_play(const char *part, const char *directory, size_t row)
{
	poison_host host = { .row = &poisons[row], .directory = directory };

	if (row >= poison_count)
		return 2;
	return strcmp(part, "poison-client") == 0 ? play_client(&host) : play_host(&host);
}
