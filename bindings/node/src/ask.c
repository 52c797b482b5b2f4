/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/ask.h"

#include <stdlib.h>
#include <string.h>

#include "bindings/node/src/arguments.h"
#include "bindings/node/src/engine.h"
#include "bindings/node/src/task.h"
#include "bindings/node/src/trouble.h"

enum { ID_SIZE = 16 };

struct ask_task;

/* One thing that can be asked. */
typedef struct question {
	const char *name;
	stepbus_status (*ask)(stepbus *engine, struct ask_task *asked, stepbus_error *err);
	bool needs_id;
	bool gives_count;
} question;

typedef struct ask_task {
	sbn_task task;
	const question *question;
	uint8_t id[ID_SIZE];
	sbn_string text;
	sbn_string other;
	stepbus_text *document;
	uint64_t count;
} ask_task;

static stepbus_status ask_info(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_step_info(engine, a->id, &a->document, err);
}

static stepbus_status ask_attempts(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_step_attempts(engine, a->id, &a->document, err);
}

static stepbus_status ask_list(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_step_list(engine, a->text.data, a->text.len, &a->document, err);
}

static stepbus_status ask_count(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_step_count(engine, a->text.data, a->text.len, &a->count, err);
}

static stepbus_status ask_cancel(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_step_cancel(engine, a->id, err);
}

static stepbus_status ask_redrive(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_step_redrive(engine, a->id, err);
}

static stepbus_status ask_redrive_all(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_step_redrive_all(engine, a->text.data, a->text.len, &a->count, err);
}

static stepbus_status ask_stats(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_engine_stats(engine, &a->document, err);
}

static stepbus_status ask_handlers(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_registry_list(stepbus_engine_registry(engine), NULL, &a->document, err);
}

static stepbus_status ask_workers(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_worker_list(engine, &a->document, err);
}

static stepbus_status ask_queues(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_queue_list(engine, &a->document, err);
}

static stepbus_status set_queue(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_queue_set(engine, a->text.data, a->text.len, a->other.data, a->other.len,
				 err);
}

static stepbus_status pause_queue(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_queue_pause(engine, a->text.data, a->text.len, err);
}

static stepbus_status resume_queue(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_queue_resume(engine, a->text.data, a->text.len, err);
}

static stepbus_status ask_crons(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_cron_list(engine, &a->document, err);
}

static stepbus_status set_cron(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_cron_set(engine, a->text.data, a->text.len, err);
}

static stepbus_status remove_cron(stepbus *engine, ask_task *a, stepbus_error *err)
{
	return stepbus_cron_remove(engine, a->text.data, a->text.len, err);
}

static stepbus_status wake(stepbus *engine, ask_task *a, stepbus_error *err)
{
	(void)a;
	return stepbus_engine_wake(engine, err);
}

static const question questions[] = {
	{ "info", ask_info, true, false },
	{ "attempts", ask_attempts, true, false },
	{ "list", ask_list, false, false },
	{ "count", ask_count, false, true },
	{ "cancel", ask_cancel, true, false },
	{ "redrive", ask_redrive, true, false },
	{ "redriveAll", ask_redrive_all, false, true },
	{ "stats", ask_stats, false, false },
	{ "handlers", ask_handlers, false, false },
	{ "workers", ask_workers, false, false },
	{ "queues", ask_queues, false, false },
	{ "setQueue", set_queue, false, false },
	{ "pauseQueue", pause_queue, false, false },
	{ "resumeQueue", resume_queue, false, false },
	{ "crons", ask_crons, false, false },
	{ "setCron", set_cron, false, false },
	{ "removeCron", remove_cron, false, false },
	{ "wake", wake, false, false },
};

static void run_ask(sbn_task *task)
{
	ask_task *asked = (ask_task *)task;

	task->status = asked->question->ask(task->engine->engine, asked, &task->err);
}

static napi_status answer_ask(napi_env env, sbn_task *task, napi_value *out)
{
	const ask_task *asked = (const ask_task *)task;

	if (asked->question->gives_count)
		return napi_create_double(env, (double)asked->count, out);
	if (asked->document == NULL)
		return napi_get_undefined(env, out);
	return napi_create_string_utf8(env, stepbus_text_data(asked->document),
				       stepbus_text_len(asked->document), out);
}

static void discard_ask(sbn_task *task)
{
	ask_task *asked = (ask_task *)task;

	stepbus_text_free(asked->document);
	free(asked->text.data);
	free(asked->other.data);
	free(asked);
}

static const question *find_question(const char *name)
{
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
		if (strcmp(questions[i].name, name) == 0)
			return &questions[i];
	}
	return NULL;
}

static bool read_question(const sbn_arguments *args, ask_task *asked)
{
	sbn_string name;

	if (!sbn_argument_string(args, 1, "what", &name))
		return false;
	asked->question = name.data == NULL ? NULL : find_question(name.data);
	free(name.data);
	if (asked->question == NULL)
		sbn_throw(args->env, STEPBUS_EINVAL, "there is no such question");
	return asked->question != NULL;
}

static bool read_id(const sbn_arguments *args, ask_task *asked)
{
	const char *id;
	size_t len;

	if (!asked->question->needs_id)
		return true;
	if (!sbn_argument_bytes(args, 2, "id", &id, &len))
		return false;
	if (len != ID_SIZE) {
		sbn_throw(args->env, STEPBUS_EINVAL, "id must be 16 bytes");
		return false;
	}
	memcpy(asked->id, id, ID_SIZE);
	return true;
}

napi_value sbn_ask(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	sbn_engine *engine;
	ask_task *asked;

	if (!sbn_arguments_read(env, info, &args) || (engine = sbn_engine_find(&args, 0)) == NULL)
		return NULL;
	asked = sbn_task_new(env, sizeof *asked, engine);
	if (asked == NULL)
		return NULL;
	asked->task.run = run_ask;
	asked->task.answer = answer_ask;
	asked->task.is_lasting = true;
	asked->task.discard = discard_ask;
	if (read_question(&args, asked) && read_id(&args, asked) &&
	    sbn_argument_string(&args, 3, "text", &asked->text) &&
	    sbn_argument_string(&args, 4, "other", &asked->other))
		return sbn_task_start(env, &asked->task, "stepbus.ask");
	discard_ask(&asked->task);
	return NULL;
}
