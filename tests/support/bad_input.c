/* SPDX-License-Identifier: MIT */
#include "support/bad_input.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 8192 };

const char *test_bad_long(void)
{
	static char text[BAD_LONG_LEN];

	if (text[0] == '\0')
		memset(text, 'a', sizeof text);
	return text;
}

const test_bad_text *test_bad_names(void)
{
	static test_bad_text names[BAD_NAME_COUNT] = {
		{ NULL, 0 },       { NULL, 5 },   { "", 0 },   { "\xff\xfe", 2 },
		{ "\xc0\xaf", 2 }, { "a\0b", 3 }, { "\0", 1 }, { "a b", 3 },
	};

	names[8] = (test_bad_text){ test_bad_long(), 129 };
	names[9] = (test_bad_text){ test_bad_long(), BAD_LONG_LEN };
	return names;
}

const test_bad_text *test_bad_json(void)
{
	static test_bad_text json[BAD_JSON_COUNT] = {
		{ "[]", 2 },
		{ "null", 4 },
		{ "1", 1 },
		{ "\"x\"", 3 },
		{ "{", 1 },
		{ "{} {}", 5 },
		{ "{}\0", 3 },
		{ "{\"a\":\xff}", 7 },
		{ "{\"no_such_key\":1}", 17 },
		{ "{\"a\":1,}", 8 },
		{ " ", 1 },
	};

	json[11] = (test_bad_text){ test_bad_long(), BAD_LONG_LEN };
	return json;
}

void test_bad_enqueue(stepbus *engine, uint8_t id[16])
{
	const stepbus_step_spec spec = { .size = sizeof spec,
					 .handler_name = "nobody",
					 .handler_name_len = 6 };
	stepbus_enqueued out = { .size = sizeof out };
	stepbus_error err = STEPBUS_ERROR_INIT;

	if (stepbus_step_enqueue(engine, &spec, 1, &out, &err) != STEPBUS_OK)
		fail_msg("a good step is refused: %s", err.message);
	memcpy(id, out.step_id, 16);
}

static void take_id_of_another_store(uint8_t id[16])
{
	const stepbus_options options = { .size = sizeof options,
					  .config = "{\"store\":\"memory:\"}",
					  .config_len = 19 };
	stepbus *other = NULL;

	assert_int_equal(stepbus_open(&options, &other, NULL), STEPBUS_OK);
	test_bad_enqueue(other, id);
	stepbus_close(other);
}

const uint8_t (*test_bad_ids(void))[16]
{
	static uint8_t ids[BAD_ID_COUNT][16];

	if (ids[1][0] == 0) {
		memset(ids[1], 0xff, 16);
		memset(ids[2], 0x01, 16);
		take_id_of_another_store(ids[3]);
	}
	return (const uint8_t(*)[16])ids;
}

void test_bad_check(stepbus_status status, stepbus_status expected, const stepbus_error *err,
		    const char *call, int line)
{
	if (status != expected)
		fail_msg("line %d: %s\n  is %s, not %s: %s", line, call,
			 stepbus_status_name(status), stepbus_status_name(expected),
			 err != NULL ? err->message : "");
	if (err == NULL || expected == STEPBUS_OK)
		return;
	if (err->message[0] == '\0' || err->code != expected)
		fail_msg("line %d: %s\n  leaves code %d and '%s'", line, call, err->code,
			 err->message);
}

void test_bad_destroy(void *user_data)
{
	atomic_fetch_add(&((test_bad *)user_data)->destroyed, 1);
}

/* Hands over a copy that says it has this size and holds mark in its last byte. */
static void try_size(test_bad *b, const test_bad_struct *s, size_t size, char mark,
		     stepbus_status expected)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	uint32_t said = (uint32_t)size;
	char *copy = calloc(1, ROOM);
	stepbus_status status;

	assert_non_null(copy);
	memcpy(copy, s->good, s->size);
	if (size > s->size && size <= ROOM)
		copy[size - 1] = mark;
	memcpy(copy, &said, sizeof said);
	status = s->call(b, copy, &err);
	if (status != expected)
		fail_msg("%s of size %u with a last byte of %d is %s, not %s: %s", s->name, said,
			 mark, stepbus_status_name(status), stepbus_status_name(expected),
			 err.message);
	if (expected != STEPBUS_OK && err.message[0] == '\0')
		fail_msg("%s of size %u is refused without a message", s->name, said);
	if (s->call(b, copy, NULL) != expected)
		fail_msg("%s of size %u depends on err", s->name, said);
	free(copy);
}

void test_bad_sizes(test_bad *b, const test_bad_struct *s)
{
	static const size_t wrong[] = { 0, 1, 4, 7, 4097, 65536, UINT32_MAX };

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		try_size(b, s, wrong[i], 0, STEPBUS_EINVAL);
	try_size(b, s, s->size, 0, STEPBUS_OK);
	try_size(b, s, s->size + 8, 0, STEPBUS_OK);
	try_size(b, s, s->size + 8, 1, STEPBUS_EINVAL);
	try_size(b, s, 4096, 0, STEPBUS_OK);
	try_size(b, s, 4096, 1, STEPBUS_EINVAL);
}

void test_bad_flags(test_bad *b, const test_bad_struct *s, size_t offset, uint32_t known)
{
	char *copy = calloc(1, ROOM);

	assert_non_null(copy);
	for (uint32_t bit = 0; bit < 32; bit++) {
		uint32_t flags = UINT32_C(1) << bit;
		stepbus_error err = STEPBUS_ERROR_INIT;

		if ((flags & known) != 0)
			continue;
		memcpy(copy, s->good, s->size);
		memcpy(copy + offset, &flags, sizeof flags);
		if (s->call(b, copy, &err) != STEPBUS_EINVAL)
			fail_msg("%s should refuse the bits 0x%x at %zu", s->name, flags, offset);
		if (err.message[0] == '\0')
			fail_msg("%s refuses the bits 0x%x without a message", s->name, flags);
	}
	free(copy);
}
