/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/syntax.h"
#include "base/utf8.h"
#include "base/words.h"

enum { NUMBER_LEN = 24, FOREIGN_LEN_MAX = 1024 };

/* From here on a double stands for more than one integer. */
static const int64_t exact_int_limit = INT64_C(1) << 53;

sb_json *sb_json_object_new(void)
{
	return cJSON_CreateObject();
}

sb_json *sb_json_array_new(void)
{
	return cJSON_CreateArray();
}

bool sb_json_add_part_take(sb_json *parent, const char *name, sb_json *part)
{
	bool is_added = false;

	if (parent != NULL && part != NULL)
		is_added = name != NULL ? cJSON_AddItemToObjectCS(parent, name, part) :
					  cJSON_AddItemToArray(parent, part);
	if (!is_added)
		cJSON_Delete(part);
	return is_added;
}

bool sb_json_add_text(sb_json *parent, const char *name, sb_slice value)
{
	return sb_json_add_part_take(parent, name,
				     value.data != NULL ? cJSON_CreateString(value.data) :
							  cJSON_CreateNull());
}

bool sb_json_add_foreign(sb_json *parent, const char *name, sb_slice value)
{
	char text[FOREIGN_LEN_MAX + 1];
	size_t len = value.len;

	if (value.len == 0)
		return sb_json_add_text(parent, name, sb_slice_of(NULL, 0));
	if (len > FOREIGN_LEN_MAX)
		len = sb_utf8_cut(value.data, FOREIGN_LEN_MAX);
	memcpy(text, value.data, len);
	text[len] = '\0';
	sb_utf8_repair(text, len);
	return sb_json_add_part_take(parent, name, cJSON_CreateString(text));
}

bool sb_json_add_whole(sb_json *parent, const char *name, sb_slice value, const stepbus_host *host)
{
	char *text;
	bool is_added;

	if (value.len <= FOREIGN_LEN_MAX)
		return sb_json_add_foreign(parent, name, value);
	text = sb_alloc_copy(host, value.data, value.len);
	if (text == NULL)
		return false;
	sb_utf8_repair(text, value.len);
	is_added = sb_json_add_part_take(parent, name, cJSON_CreateString(text));
	sb_release(host, text);
	return is_added;
}

static bool add_base64(sb_json *parent, const char *name, sb_slice value, const stepbus_host *host)
{
	size_t len = sb_base64_len(value.len);
	char *text = len > 0 ? sb_alloc(host, len + 1) : NULL;
	bool is_added;

	if (text == NULL)
		return false;
	sb_base64_write(value.data, value.len, text);
	is_added = sb_json_add_part_take(parent, name, cJSON_CreateString(text));
	sb_release(host, text);
	return is_added;
}

bool sb_json_add_bytes(sb_json *parent, const char *name, const char *base64_name, sb_slice value,
		       const stepbus_host *host)
{
	if (value.len == 0)
		return sb_json_add_text(parent, name, sb_slice_z(""));
	if (sb_utf8_is_valid(value.data, value.len))
		return sb_json_add_whole(parent, name, value, host);
	return add_base64(parent, base64_name, value, host);
}

bool sb_json_add_int(sb_json *parent, const char *name, int64_t value)
{
	char number[NUMBER_LEN];

	/* Raw, since cJSON's own numbers are doubles. */
	(void)snprintf(number, sizeof number, "%" PRId64, value);
	return sb_json_add_part_take(parent, name, cJSON_CreateRaw(number));
}

bool sb_json_add_decimal(sb_json *parent, const char *name, int64_t value)
{
	char number[NUMBER_LEN];

	(void)snprintf(number, sizeof number, "%" PRId64, value);
	return sb_json_add_part_take(parent, name, cJSON_CreateString(number));
}

bool sb_json_add_fraction(sb_json *parent, const char *name, int64_t part, int64_t whole)
{
	/* Written by hand: printf would take its decimal point from the locale. */
	int tenthousandths = (int)((double)part / (double)whole * 10000.0);
	char number[NUMBER_LEN];

	(void)snprintf(number, sizeof number, "%d.%04d", tenthousandths / 10000,
		       tenthousandths % 10000);
	return sb_json_add_part_take(parent, name, cJSON_CreateRaw(number));
}

bool sb_json_add_bool(sb_json *parent, const char *name, bool value)
{
	return sb_json_add_part_take(parent, name, cJSON_CreateBool(value));
}

bool sb_json_add_raw(sb_json *parent, const char *name, sb_slice value)
{
	if (value.len == 0)
		return sb_json_add_part_take(parent, name, cJSON_CreateNull());
	return sb_json_add_part_take(parent, name, cJSON_CreateRaw(value.data));
}

bool sb_json_add_checked(sb_json *parent, const char *name, sb_slice value,
			 const stepbus_host *host)
{
	char *copy;
	bool is_added;

	if (sb_json_check(value, false, name, NULL) != STEPBUS_OK)
		return sb_json_add_null(parent, name);
	copy = sb_alloc_copy(host, value.data, value.len);
	if (copy == NULL)
		return false;
	is_added = sb_json_add_raw(parent, name, sb_slice_of(copy, value.len));
	sb_release(host, copy);
	return is_added;
}

bool sb_json_add_time(sb_json *parent, const char *name, int64_t time_us)
{
	char text[SB_CLOCK_TEXT_LEN];

	sb_clock_format(time_us, text);
	return sb_json_add_text(parent, name, sb_slice_z(text));
}

bool sb_json_add_moment(sb_json *parent, const char *name, int64_t time_us)
{
	return time_us != 0 ? sb_json_add_time(parent, name, time_us) :
			      sb_json_add_null(parent, name);
}

bool sb_json_add_null(sb_json *parent, const char *name)
{
	return sb_json_add_part_take(parent, name, cJSON_CreateNull());
}

bool sb_json_add_words(sb_json *parent, const char *name, sb_slice words)
{
	sb_json *list = sb_json_array_new();
	bool is_complete = list != NULL;
	sb_slice word;

	while (words.len > 0 && sb_words_next(&words, &word))
		is_complete = sb_json_add_foreign(list, NULL, word) && is_complete;
	return sb_json_add_part_take(parent, name, list) && is_complete;
}

void sb_json_free(sb_json *document)
{
	cJSON_Delete(document);
}

stepbus_status sb_json_print_take(sb_json *document, bool is_complete, const stepbus_host *host,
				  stepbus_text **out, stepbus_error *err)
{
	char *printed = is_complete && document != NULL ? cJSON_PrintUnformatted(document) : NULL;
	stepbus_status status;

	cJSON_Delete(document);
	if (printed == NULL)
		return sb_fail_memory(err, "write a JSON document");
	status = sb_text_new(host, printed, strlen(printed), out, err);
	cJSON_free(printed);
	return status;
}

stepbus_status sb_json_check(sb_slice text, bool is_object, const char *what, stepbus_error *err)
{
	size_t offset = 0;

	if (text.len > SB_JSON_LEN_MAX)
		return sb_fail(err, STEPBUS_EINVAL, "%s has %zu bytes: at most %d are allowed",
			       what, text.len, SB_JSON_LEN_MAX);
	if (!sb_syntax_is_json(text.data, text.len, &offset))
		return sb_fail(err, STEPBUS_EINVAL, "%s is not JSON: see byte %zu", what, offset);
	/* JSON begins with its kind, behind spaces at most. */
	while (is_object && text.len > 0 && strchr(" \t\r\n", *text.data) != NULL)
		text = sb_slice_of(text.data + 1, text.len - 1);
	if (is_object && *text.data != '{')
		return sb_fail(err, STEPBUS_EINVAL, "%s is JSON, but not an object", what);
	return STEPBUS_OK;
}

static sb_json_field field_of(const sb_json *item)
{
	sb_json_field field = { .kind = SB_JSON_MISSING };

	if (item == NULL)
		return field;
	field.kind = SB_JSON_OTHER;
	if (cJSON_IsString(item)) {
		field.kind = SB_JSON_TEXT;
		field.text = sb_slice_z(item->valuestring);
	} else if (cJSON_IsNumber(item) && item->valuedouble > -(double)exact_int_limit &&
		   item->valuedouble < (double)exact_int_limit) {
		field.number = (int64_t)item->valuedouble;
		/* A fraction does not survive the way to an integer and back. */
		if ((double)field.number - item->valuedouble == 0.0)
			field.kind = SB_JSON_INT;
	}
	return field;
}

static const sb_json *find_field(const sb_json *document, sb_slice name)
{
	const sb_json *item = document != NULL && cJSON_IsObject(document) ? document->child : NULL;

	while (item != NULL && !sb_slice_is_equal(sb_slice_z(item->string), name))
		item = item->next;
	return item;
}

stepbus_status sb_json_field_read(sb_slice json, sb_slice name,
				  stepbus_status (*use)(void *context, const sb_json_field *field,
							stepbus_error *err),
				  void *context, stepbus_error *err)
{
	bool is_object = sb_json_check(json, true, "the payload", NULL) == STEPBUS_OK;
	sb_json *document = is_object ? cJSON_ParseWithLength(json.data, json.len) : NULL;
	sb_json_field field = field_of(find_field(document, name));
	stepbus_status status;

	/* What was checked before can only fail for want of memory. */
	if (is_object && document == NULL)
		return sb_fail_memory(err, "read a JSON object");
	status = use(context, &field, err);
	cJSON_Delete(document);
	return status;
}

const char *sb_json_library_version(void)
{
	return cJSON_Version();
}
