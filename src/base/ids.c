/* SPDX-License-Identifier: MIT */
#include "base/ids.h"

#include <string.h>

static bool is_dash_before(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void sb_id_make(uint8_t id[SB_ID_LEN], uint64_t time_ms, const uint8_t random[SB_ID_RANDOM_LEN])
{
	for (size_t i = 0; i < 6; i++)
		id[i] = (uint8_t)(time_ms >> (40 - 8 * i));
	memcpy(id + 6, random, SB_ID_RANDOM_LEN);
	id[6] = (uint8_t)(0x70 | (id[6] & 0x0F));
	id[8] = (uint8_t)(0x80 | (id[8] & 0x3F));
}

void sb_id_format(const uint8_t id[SB_ID_LEN], char text[SB_ID_TEXT_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	char *next = text;

	for (size_t i = 0; i < SB_ID_LEN; i++) {
		if (is_dash_before(i))
			*next++ = '-';
		*next++ = digits[id[i] >> 4];
		*next++ = digits[id[i] & 0x0F];
	}
	*next = '\0';
}

static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

bool sb_id_parse(const char *text, size_t len, uint8_t id[SB_ID_LEN])
{
	uint8_t parsed[SB_ID_LEN];
	const char *next = text;

	if (text == NULL || len != SB_ID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < SB_ID_LEN; i++) {
		int high, low;

		if (is_dash_before(i) && *next++ != '-')
			return false;
		high = digit_value(*next++);
		low = digit_value(*next++);
		if (high < 0 || low < 0)
			return false;
		parsed[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(id, parsed, SB_ID_LEN);
	return true;
}

void sb_id_of_row(int64_t row_id, const uint8_t tag[SB_ID_TAG_LEN], uint8_t id[SB_ID_LEN])
{
	for (size_t i = 0; i < 6; i++)
		id[i] = (uint8_t)((uint64_t)row_id >> (40 - 8 * i));
	memcpy(id + 6, tag, SB_ID_TAG_LEN);
	id[6] = (uint8_t)(0x80 | (id[6] & 0x0F));
	id[8] = (uint8_t)(0x80 | (id[8] & 0x3F));
}

int64_t sb_id_to_row(const uint8_t id[SB_ID_LEN], const uint8_t tag[SB_ID_TAG_LEN])
{
	uint8_t expected[SB_ID_LEN];
	uint64_t row_id = 0;

	for (size_t i = 0; i < 6; i++)
		row_id = row_id << 8 | id[i];
	sb_id_of_row(0, tag, expected);
	return memcmp(id + 6, expected + 6, SB_ID_TAG_LEN) == 0 ? (int64_t)row_id : 0;
}
