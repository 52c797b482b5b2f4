/* SPDX-License-Identifier: MIT */
#include "registry/definition.h"

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/words.h"

enum { DESCRIPTION_LEN_MAX = 4096, WORD_COUNT_MAX = 64, WORDS_LEN_MAX = 8192 };

static const int64_t timeout_ms_max = INT64_C(10) * 366 * 24 * 3600 * 1000;

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_made_of(sb_slice text, const char *others)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_alphanumeric(text.data[i]) &&
		    (text.data[i] == '\0' || strchr(others, text.data[i]) == NULL))
			return false;
	return true;
}

static stepbus_status check_text(sb_slice text, size_t len_max, const char *what,
				 stepbus_error *err)
{
	if (text.data == NULL && text.len > 0)
		return sb_fail(err, STEPBUS_EINVAL, "%s is NULL but has a length of %zu", what,
			       text.len);
	if (text.len > len_max)
		return sb_fail(err, STEPBUS_EINVAL, "%s has %zu bytes: at most %zu are allowed",
			       what, text.len, len_max);
	if (!sb_utf8_is_valid(text.data, text.len))
		return sb_fail(err, STEPBUS_EINVAL, "%s is not UTF-8, or holds a NUL", what);
	return STEPBUS_OK;
}

stepbus_status sb_definition_check_name(sb_slice name, const char *what, stepbus_error *err)
{
	sb_shown shown;

	if (name.data == NULL || name.len == 0)
		return sb_fail(err, STEPBUS_EINVAL, "%s cannot be empty", what);
	if (name.len > SB_NAME_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "%s '%s' has %zu bytes: at most %d are allowed",
			       what, sb_show(&shown, name.data, name.len), name.len,
			       SB_NAME_LEN_MAX);
	if (!is_made_of(name, "_.:/-"))
		return sb_fail(err, STEPBUS_EINVAL, "%s '%s' is not allowed: use [A-Za-z0-9_.:/-]",
			       what, sb_show(&shown, name.data, name.len));
	return STEPBUS_OK;
}

static stepbus_status check_optional_name(sb_slice name, const char *what, stepbus_error *err)
{
	if (name.data == NULL && name.len > 0)
		return sb_fail(err, STEPBUS_EINVAL, "%s is NULL but has a length of %zu", what,
			       name.len);
	return name.len > 0 ? sb_definition_check_name(name, what, err) : STEPBUS_OK;
}

static stepbus_status check_version(sb_slice version, stepbus_error *err)
{
	sb_shown shown;

	if (version.data == NULL && version.len > 0)
		return sb_fail(err, STEPBUS_EINVAL, "version is NULL but has a length of %zu",
			       version.len);
	if (version.len > SB_VERSION_LEN_MAX || !is_made_of(version, "_.+-"))
		return sb_fail(err, STEPBUS_EINVAL,
			       "version '%s' is not allowed: use at most %d of [A-Za-z0-9_.+-]",
			       sb_show(&shown, version.data, version.len), SB_VERSION_LEN_MAX);
	return STEPBUS_OK;
}

static stepbus_status check_words(sb_slice words, const char *what, stepbus_error *err)
{
	stepbus_status status = check_text(words, WORDS_LEN_MAX, what, err);
	size_t count = 0;
	sb_slice word;

	while (status == STEPBUS_OK && words.len > 0 && sb_words_next(&words, &word)) {
		if (++count > WORD_COUNT_MAX)
			return sb_fail(err, STEPBUS_EINVAL, "%s has more than %d words", what,
				       WORD_COUNT_MAX);
		status = sb_definition_check_name(word, what, err);
		/* A word is all that may stand behind the last comma. */
		if (words.data != NULL && words.len == 0)
			return sb_fail(err, STEPBUS_EINVAL, "%s ends in a comma", what);
	}
	return status;
}

static stepbus_status check_number(int64_t value, int64_t value_max, const char *what,
				   stepbus_error *err)
{
	if (value < 0 || value > value_max)
		return sb_fail(err, STEPBUS_EINVAL, "%s is %lld: 0 to %lld is allowed", what,
			       (long long)value, (long long)value_max);
	return STEPBUS_OK;
}

static stepbus_status check_numbers(const stepbus_handler_spec *spec, stepbus_error *err)
{
	const struct {
		int64_t value;
		int64_t value_max;
		const char *what;
	} numbers[] = {
		{ spec->wait_timeout_ms, timeout_ms_max, "wait_timeout_ms" },
		{ spec->attempt_timeout_ms, timeout_ms_max, "attempt_timeout_ms" },
		{ spec->total_timeout_ms, timeout_ms_max, "total_timeout_ms" },
		{ spec->retry_base_ms, timeout_ms_max, "retry_base_ms" },
		{ spec->retry_cap_ms, timeout_ms_max, "retry_cap_ms" },
		{ spec->retry_kind, STEPBUS_RETRY_FIBONACCI, "retry_kind" },
		{ spec->attempt_count_max, 1000000, "attempt_count_max" },
		{ spec->jitter_percent, 100, "jitter_percent" },
		{ spec->concurrency_max, 1000000, "concurrency_max" },
		{ spec->rate_per_minute, UINT32_MAX, "rate_per_minute" },
		{ spec->instance_scope, STEPBUS_SCOPE_WORKER, "instance_scope" },
	};
	stepbus_status status = STEPBUS_OK;

	for (size_t i = 0; status == STEPBUS_OK && i < sizeof numbers / sizeof *numbers; i++)
		status = check_number(numbers[i].value, numbers[i].value_max, numbers[i].what, err);
	return status;
}

static stepbus_status check_pulled(const stepbus_handler_spec *spec, const char *name,
				   stepbus_error *err)
{
	const struct {
		bool is_said;
		const char *what;
	} strange[] = {
		{ spec->call != NULL, "call" },
		{ spec->create != NULL, "create" },
		{ spec->discard != NULL, "discard" },
		{ spec->instance_scope != STEPBUS_SCOPE_STEP, "instance_scope" },
	};

	for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
		if (strange[i].is_said)
			return sb_fail(err, STEPBUS_EINVAL,
				       "handler '%s' is pulled and has %s: the library calls "
				       "nothing of it, the host runs what it polls",
				       name, strange[i].what);
	return STEPBUS_OK;
}

/* What seed systems find out at run time: that a handler lacks what it must have. */
static stepbus_status check_functions(const stepbus_handler_spec *spec, stepbus_error *err)
{
	const uint32_t flags = STEPBUS_HANDLER_OVERRIDE | STEPBUS_HANDLER_DEFAULT |
			       STEPBUS_HANDLER_VERSION_FROM_INPUT | STEPBUS_HANDLER_PULLED;
	sb_shown shown;
	const char *name = sb_show(&shown, spec->name, spec->name_len);

	if ((spec->flags & ~flags) != 0)
		return sb_fail(err, STEPBUS_EINVAL, "handler '%s' has unknown flags 0x%x", name,
			       spec->flags & ~flags);
	if ((spec->flags & STEPBUS_HANDLER_PULLED) != 0)
		return check_pulled(spec, name, err);
	if (spec->call == NULL)
		return sb_fail(err, STEPBUS_EINVAL,
			       "handler '%s' has no call: set call to the function that runs its "
			       "steps, or "
			       "the flag STEPBUS_HANDLER_PULLED",
			       name);
	if (spec->create == NULL && spec->discard != NULL)
		return sb_fail(err, STEPBUS_EINVAL,
			       "handler '%s' has discard but no create: a factory needs create, a "
			       "plain handler neither",
			       name);
	if (spec->create == NULL && spec->instance_scope != STEPBUS_SCOPE_STEP)
		return sb_fail(err, STEPBUS_EINVAL,
			       "handler '%s' has an instance_scope but no create", name);
	return STEPBUS_OK;
}

static stepbus_status check_schema(sb_slice schema, stepbus_error *err)
{
	if (schema.data == NULL && schema.len > 0)
		return sb_fail(err, STEPBUS_EINVAL, "config_schema is NULL but has a length of %zu",
			       schema.len);
	return schema.len > 0 ? sb_json_check(schema, true, "config_schema", err) : STEPBUS_OK;
}

stepbus_status sb_definition_check(const stepbus_handler_spec *spec, stepbus_error *err)
{
	stepbus_status status = sb_definition_check_name(sb_slice_of(spec->name, spec->name_len),
							 "handler name", err);

	if (status == STEPBUS_OK)
		status = check_optional_name(
			sb_slice_of(spec->handler_namespace, spec->handler_namespace_len),
			"namespace", err);
	if (status == STEPBUS_OK)
		status = check_version(sb_slice_of(spec->version, spec->version_len), err);
	if (status == STEPBUS_OK)
		status = check_optional_name(sb_slice_of(spec->domain, spec->domain_len), "domain",
					     err);
	if (status == STEPBUS_OK)
		status = check_text(sb_slice_of(spec->description, spec->description_len),
				    DESCRIPTION_LEN_MAX, "description", err);
	if (status == STEPBUS_OK)
		status = check_words(sb_slice_of(spec->capabilities, spec->capabilities_len),
				     "capabilities", err);
	if (status == STEPBUS_OK)
		status = check_schema(sb_slice_of(spec->config_schema, spec->config_schema_len),
				      err);
	if (status == STEPBUS_OK)
		status =
			check_words(sb_slice_of(spec->permitted_queues, spec->permitted_queues_len),
				    "permitted_queues", err);
	if (status == STEPBUS_OK)
		status = check_words(
			sb_slice_of(spec->permitted_callers, spec->permitted_callers_len),
			"permitted_callers", err);
	if (status == STEPBUS_OK)
		status = check_numbers(spec, err);
	return status == STEPBUS_OK ? check_functions(spec, err) : status;
}

static void fill_text(const char **text, size_t *len, const char *value)
{
	if (*len > 0)
		return;
	*text = value;
	*len = strlen(value);
}

void sb_definition_fill(stepbus_handler_spec *spec)
{
	fill_text(&spec->handler_namespace, &spec->handler_namespace_len, SB_NAMESPACE_DEFAULT);
	fill_text(&spec->version, &spec->version_len, SB_VERSION_DEFAULT);
	fill_text(&spec->capabilities, &spec->capabilities_len, "process");
}

stepbus_status sb_definition_fail_key(const stepbus_handler_key *key, stepbus_error *err)
{
	stepbus_status status = sb_definition_check_name(sb_slice_of(key->name, key->name_len),
							 "handler name", err);

	if (status == STEPBUS_OK)
		status = check_optional_name(
			sb_slice_of(key->handler_namespace, key->handler_namespace_len),
			"namespace", err);
	return status == STEPBUS_OK ?
		       check_version(sb_slice_of(key->version, key->version_len), err) :
		       status;
}
