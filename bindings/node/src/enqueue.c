/* SPDX-License-Identifier: MIT */
/*
 * Enqueueing: calls that JavaScript made in one turn share a transaction. One that is refused must not
 * take the others with it, so then each group is enqueued on its own.
 */
#include "bindings/node/src/steps.h"

#include <stdlib.h>

#include "bindings/node/src/block.h"
#include "bindings/node/src/engine.h"
#include "bindings/node/src/task.h"
#include "bindings/node/src/trouble.h"

enum { ID_LEN = 36, ID_TEXT_SIZE = ID_LEN + 1 };

/* Steps that are enqueued all or none. */
typedef struct group {
	size_t count;
	stepbus_status status;
	stepbus_error *err; /* where it is refused */
} group;

typedef struct enqueue_task {
	sbn_task task;
	sbn_block block;
	stepbus_step_spec *specs;
	stepbus_enqueued *enqueued;
	size_t count;
	group *groups;
	size_t group_count;
} enqueue_task;

static void refuse(group *refused, stepbus_status status, const stepbus_error *err)
{
	refused->status = status;
	refused->err = malloc(sizeof *refused->err);
	if (refused->err != NULL)
		*refused->err = *err;
	else
		refused->status = STEPBUS_ENOMEM;
}

static void enqueue_each(enqueue_task *sent)
{
	size_t at = 0;

	for (size_t i = 0; i < sent->group_count; i++) {
		group *next = &sent->groups[i];
		stepbus_error err = STEPBUS_ERROR_INIT;
		stepbus_status status;

		sent->enqueued[at].size = sizeof sent->enqueued[at];
		status = stepbus_step_enqueue(sent->task.engine->engine, &sent->specs[at],
					      next->count, &sent->enqueued[at], &err);
		if (status != STEPBUS_OK)
			refuse(next, status, &err);
		at += next->count;
	}
}

/* Whether it is for what one of the steps says; a store that is busy is so for all of them. */
static bool is_about_a_step(stepbus_status status)
{
	return status == STEPBUS_EINVAL || status == STEPBUS_ENOTFOUND;
}

static void run_enqueue(sbn_task *task)
{
	enqueue_task *sent = (enqueue_task *)task;

	sent->enqueued[0].size = sizeof sent->enqueued[0];
	task->status = stepbus_step_enqueue(task->engine->engine, sent->specs, sent->count,
					    sent->enqueued, &task->err);
	if (!is_about_a_step(task->status) || sent->group_count == 1)
		return;
	task->status = STEPBUS_OK;
	enqueue_each(sent);
}

static napi_status write_ids(napi_env env, const enqueue_task *sent, napi_value *out)
{
	void *data = NULL;
	napi_status status = napi_create_buffer(env, sent->count * ID_LEN, &data, out);

	for (size_t i = 0; i < sent->count && status == napi_ok; i++) {
		char text[ID_TEXT_SIZE] = "";

		if (stepbus_id_format(sent->enqueued[i].step_id, text, NULL) != STEPBUS_OK)
			status = napi_generic_failure;
		for (size_t j = 0; j < ID_LEN; j++)
			((char *)data)[i * ID_LEN + j] = text[j];
	}
	return status;
}

static napi_status write_existing(napi_env env, const enqueue_task *sent, napi_value *out)
{
	void *data = NULL;
	napi_status status = napi_create_buffer(env, sent->count, &data, out);

	for (size_t i = 0; i < sent->count && status == napi_ok; i++)
		((uint8_t *)data)[i] = sent->enqueued[i].is_existing != 0;
	return status;
}

/* An object of Errors by the number of their group. */
static napi_status write_failures(napi_env env, const enqueue_task *sent, napi_value *out)
{
	const stepbus_error none = STEPBUS_ERROR_INIT;
	napi_status status = napi_create_object(env, out);

	for (size_t i = 0; i < sent->group_count && status == napi_ok; i++) {
		const group *each = &sent->groups[i];
		napi_value error;

		if (each->status == STEPBUS_OK)
			continue;
		status = sbn_error_new(env, each->status, each->err == NULL ? &none : each->err,
				       &error);
		if (status == napi_ok)
			status = napi_set_element(env, *out, (uint32_t)i, error);
	}
	return status;
}

static napi_status answer_enqueue(napi_env env, sbn_task *task, napi_value *out)
{
	const enqueue_task *sent = (const enqueue_task *)task;
	napi_value ids;
	napi_value existing;
	napi_value failures;
	napi_status status = write_ids(env, sent, &ids);

	if (status == napi_ok)
		status = write_existing(env, sent, &existing);
	if (status == napi_ok)
		status = write_failures(env, sent, &failures);
	if (status == napi_ok)
		status = napi_create_object(env, out);
	if (status == napi_ok)
		status = napi_set_named_property(env, *out, "ids", ids);
	if (status == napi_ok)
		status = napi_set_named_property(env, *out, "existing", existing);
	return status == napi_ok ? napi_set_named_property(env, *out, "failures", failures) :
				   status;
}

static void discard_enqueue(sbn_task *task)
{
	enqueue_task *sent = (enqueue_task *)task;

	for (size_t i = 0; i < sent->group_count; i++)
		free(sent->groups[i].err);
	sbn_block_free(&sent->block);
	free(sent->specs);
	free(sent->enqueued);
	free(sent->groups);
	free(sent);
}

static bool read_groups(const sbn_arguments *args, enqueue_task *sent)
{
	const uint32_t *counts;
	size_t group_count;
	size_t sum = 0;
	bool is_whole = true;

	if (!sbn_argument_words(args, 3, "groups", &counts, &group_count))
		return false;
	sent->groups = calloc(group_count > 0 ? group_count : 1, sizeof *sent->groups);
	sent->enqueued = calloc(sent->count, sizeof *sent->enqueued);
	if (sent->groups == NULL || sent->enqueued == NULL) {
		sbn_throw_memory(args->env);
		return false;
	}
	sent->group_count = group_count;
	for (size_t i = 0; i < group_count; i++) {
		sent->groups[i].count = counts[i];
		sum += counts[i];
		is_whole = is_whole && counts[i] > 0;
	}
	if (is_whole && sum == sent->count)
		return true;
	sbn_throw(args->env, STEPBUS_EINVAL, "groups must share the steps out, one or more each");
	return false;
}

napi_value sbn_steps_enqueue(napi_env env, napi_callback_info info)
{
	sbn_arguments args;
	sbn_engine *engine;
	enqueue_task *sent;
	void *structs = NULL;

	if (!sbn_arguments_read(env, info, &args) || (engine = sbn_engine_find(&args, 0)) == NULL)
		return NULL;
	sent = sbn_task_new(env, sizeof *sent, engine);
	if (sent == NULL)
		return NULL;
	sent->task.run = run_enqueue;
	sent->task.answer = answer_enqueue;
	sent->task.is_lasting = true;
	sent->task.discard = discard_enqueue;
	if (sbn_block_read(&args, 1, &sbn_step_layout, &sent->block, &structs, &sent->count)) {
		sent->specs = structs;
		if (read_groups(&args, sent))
			return sbn_task_start(env, &sent->task, "stepbus.enqueue");
	}
	discard_enqueue(&sent->task);
	return NULL;
}
