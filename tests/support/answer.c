/* SPDX-License-Identifier: MIT */
#include "support/answer.h"

#include "support/cmocka.h"

cJSON *test_answer_take(stepbus_text *text)
{
	cJSON *json = cJSON_ParseWithLength(stepbus_text_data(text), stepbus_text_len(text));

	if (json == NULL)
		fail_msg("this is no JSON: %s", stepbus_text_data(text));
	stepbus_text_free(text);
	return json;
}

static const cJSON *field_of(const cJSON *object, const char *name)
{
	const cJSON *field = cJSON_GetObjectItemCaseSensitive(object, name);

	if (field == NULL)
		fail_msg("there is no field '%s'", name);
	return field;
}

const char *test_answer_text(const cJSON *object, const char *name)
{
	const cJSON *field = field_of(object, name);

	if (!cJSON_IsString(field))
		fail_msg("'%s' is no text", name);
	return field->valuestring;
}

int64_t test_answer_int(const cJSON *object, const char *name)
{
	const cJSON *field = field_of(object, name);

	if (!cJSON_IsNumber(field))
		fail_msg("'%s' is no number", name);
	return (int64_t)field->valuedouble;
}

bool test_answer_bool(const cJSON *object, const char *name)
{
	const cJSON *field = field_of(object, name);

	if (!cJSON_IsBool(field))
		fail_msg("'%s' is neither true nor false", name);
	return cJSON_IsTrue(field);
}

bool test_answer_has(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name) != NULL;
}

bool test_answer_is_null(const cJSON *object, const char *name)
{
	return cJSON_IsNull(field_of(object, name));
}
