/* SPDX-License-Identifier: MIT */
/* The exported functions that put steps in. */
#include "handlers/enqueue.h"

#include "base/utf8.h"
#include "ffi/arguments.h"
#include "handlers/enqueue_in.h"

enum { SCHEMA_LEN_MAX = 128 };

/* Elements of an array are read where they are: they have the size that this library knows. */
static stepbus_status check_array(const void *first, uint32_t size, size_t known_len,
				  const char *name, stepbus_error *err)
{
	(void)first;
	if (size == known_len)
		return STEPBUS_OK;
	return sb_fail(err, STEPBUS_EINVAL, "%s has size %u: set it to sizeof(%s), which is %zu",
		       name, size, name, known_len);
}

static stepbus_status check_spec(const stepbus *engine, const stepbus_step_spec *specs, size_t i,
				 stepbus_error *err)
{
	stepbus_status status =
		check_array(specs, specs[i].size, sizeof *specs, "stepbus_step_spec", err);

	if (status == STEPBUS_OK)
		status = sb_step_spec_check(&specs[i], engine->options.payload_len_max, err);
	if (status != STEPBUS_OK)
		sb_fail_where(err, "step %zu: ", i);
	return status;
}

static stepbus_status check(const stepbus *engine, const stepbus_step_spec *specs, size_t count,
			    const stepbus_enqueued *out, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(engine, "engine", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(specs, "specs", err);
	if (status == STEPBUS_OK && (count == 0 || count > SB_ENQUEUE_COUNT_MAX))
		return sb_fail(err, STEPBUS_EINVAL, "count is %zu: 1 to %d is allowed", count,
			       SB_ENQUEUE_COUNT_MAX);
	if (status == STEPBUS_OK && out != NULL)
		status = check_array(out, out->size, sizeof *out, "stepbus_enqueued", err);
	if (status == STEPBUS_OK)
		status = sb_engine_check(engine, true, err);
	for (size_t i = 0; status == STEPBUS_OK && i < count; i++)
		status = check_spec(engine, specs, i, err);
	return status;
}

stepbus_status stepbus_step_enqueue(stepbus *engine, const stepbus_step_spec *specs, size_t count,
				    stepbus_enqueued *out, stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check(engine, specs, count, out, err);

	return status == STEPBUS_OK ? sb_enqueue_perform(engine, specs, count, out, err) : status;
}

stepbus_status stepbus_step_enqueue_async(stepbus *engine, const stepbus_step_spec *specs,
					  size_t count, stepbus_enqueued_fn done, void *user_data,
					  stepbus_error *err)
{
	SB_UNCANCELLED;
	stepbus_status status = check(engine, specs, count, NULL, err);

	return status == STEPBUS_OK ?
		       sb_enqueue_submit(engine, specs, count, done, user_data, err) :
		       status;
}

/* The name of a schema, ending in NUL; "main" where none is said. */
static stepbus_status copy_schema(const char *schema, size_t len, char copy[SCHEMA_LEN_MAX + 1],
				  stepbus_error *err)
{
	sb_slice name = len > 0 ? sb_slice_of(schema, len) : sb_slice_z("main");
	stepbus_status status = sb_argument_check_text(schema, len, "schema", err);

	if (status != STEPBUS_OK)
		return status;
	if (len > SCHEMA_LEN_MAX || !sb_utf8_is_valid(name.data, name.len))
		return sb_fail(err, STEPBUS_EINVAL,
			       "schema is no name of at most %d bytes of UTF-8", SCHEMA_LEN_MAX);
	memcpy(copy, name.data, name.len);
	copy[name.len] = '\0';
	return STEPBUS_OK;
}

/* NOLINTNEXTLINE(readability-function-size): what an enqueue needs, and where. */
stepbus_status stepbus_step_enqueue_in(stepbus *engine, struct sqlite3 *connection,
				       const char *schema, size_t schema_len,
				       const stepbus_step_spec *specs, size_t count,
				       stepbus_enqueued *out, stepbus_error *err)
{
	SB_UNCANCELLED;
	char name[SCHEMA_LEN_MAX + 1];
	stepbus_status status = check(engine, specs, count, out, err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(connection, "connection", err);
	if (status == STEPBUS_OK)
		status = copy_schema(schema, schema_len, name, err);
	if (status != STEPBUS_OK)
		return status;
	return sb_enqueue_in_perform(engine,
				     &(sb_enqueue_in){ connection, name, specs, count, out }, err);
}
