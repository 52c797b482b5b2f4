/* SPDX-License-Identifier: MIT */
#include "fuzz/reference.h"

#include <stdlib.h>

#include "fuzz/driver.h"

typedef struct reader {
	const char *at;
	const char *end;
	unsigned depth_left;
} reader;

size_t fuzz_utf8_step(const char *text, size_t len)
{
	const uint8_t first = len > 0 ? (uint8_t)text[0] : 0;
	const size_t width = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
	static const uint32_t least[] = { 0, 1, 0x80, 0x800, 0x10000 };
	uint32_t code = width == 1 ? first : first & (0x7Fu >> width);

	if (first == 0 || width > len || (first >= 0x80 && first < 0xC0) || first > 0xF7)
		return 0;
	for (size_t i = 1; i < width; i++) {
		if (((uint8_t)text[i] >> 6) != 2)
			return 0;
		code = code << 6 | ((uint8_t)text[i] & 0x3F);
	}
	if (code < least[width] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
		return 0;
	return width;
}

bool fuzz_utf8_is_valid(sb_slice text)
{
	for (size_t at = 0, step; at < text.len; at += step) {
		step = fuzz_utf8_step(text.data + at, text.len - at);
		if (step == 0)
			return false;
	}
	return true;
}

static void space(reader *r)
{
	while (r->at < r->end && memchr(" \t\r\n", *r->at, 4) != NULL)
		r->at++;
}

static bool sign(reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static size_t digits(reader *r)
{
	size_t count = 0;

	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
		count++;
	return count;
}

static bool number(reader *r)
{
	const char *whole;

	(void)sign(r, '-');
	whole = r->at;
	if (digits(r) == 0 || (*whole == '0' && r->at - whole > 1))
		return false;
	if (sign(r, '.') && digits(r) == 0)
		return false;
	if (!sign(r, 'e') && !sign(r, 'E'))
		return true;
	if (!sign(r, '-'))
		(void)sign(r, '+');
	return digits(r) > 0;
}

static bool code_unit(reader *r, uint32_t *code)
{
	char hex[5] = { 0 };
	char *end;

	if (r->end - r->at < 4)
		return false;
	memcpy(hex, r->at, 4);
	/* strtoul would take a sign or spaces too. */
	if (strspn(hex, "0123456789abcdefABCDEF") != 4)
		return false;
	*code = (uint32_t)strtoul(hex, &end, 16);
	r->at += 4;
	return *code != 0;
}

static size_t encode(uint32_t code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xC0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xE0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3F));
		out[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3F));
	out[2] = (char)(0x80 | (code >> 6 & 0x3F));
	out[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

/* Behind the backslash. */
static bool escape(reader *r, char *out, size_t *len)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	uint32_t code, low;

	if (r->at == r->end)
		return false;
	if (*r->at != 'u') {
		letter = memchr(letters, *r->at++, sizeof letters - 1);
		if (letter == NULL)
			return false;
		out[(*len)++] = meanings[letter - letters];
		return true;
	}
	r->at++;
	if (!code_unit(r, &code) || code >> 10 == 0xDC00 >> 10)
		return false;
	if (code >> 10 == 0xD800 >> 10) {
		if (!sign(r, '\\') || !sign(r, 'u') || !code_unit(r, &low) ||
		    low >> 10 != 0xDC00 >> 10)
			return false;
		code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF);
	}
	*len += encode(code, out + *len);
	return true;
}

/* Up to the quote that ends it: a block as long as all that follows costs more than the rest of the reading. */
static size_t raw_len(const reader *r)
{
	const char *at = r->at;

	while (at < r->end && *at != '"')
		at += *at == '\\' && r->end - at > 1 ? 2 : 1;
	return (size_t)(at - r->at);
}

static char *string(reader *r, size_t *len)
{
	bool is_right = true;
	char *out;

	if (!sign(r, '"'))
		return NULL;
	/* No escape is shorter than what it stands for. */
	out = malloc(raw_len(r) + 1);
	fuzz_check(out != NULL);
	*len = 0;
	while (is_right && r->at < r->end && *r->at != '"') {
		if (*r->at != '\\') {
			is_right = (uint8_t)*r->at >= 0x20;
			out[(*len)++] = *r->at++;
			continue;
		}
		r->at++;
		is_right = escape(r, out, len);
	}
	if (is_right && sign(r, '"'))
		return out;
	free(out);
	return NULL;
}

static fuzz_json *value(reader *r);

static bool element(reader *r, fuzz_json *parent, fuzz_json ***last)
{
	const bool is_object = parent->kind == FUZZ_JSON_OBJECT;
	size_t key_len = 0;
	char *key = NULL;
	fuzz_json *child;

	space(r);
	if (is_object) {
		key = string(r, &key_len);
		space(r);
		if (key == NULL || !sign(r, ':')) {
			free(key);
			return false;
		}
	}
	child = value(r);
	if (child == NULL) {
		free(key);
		return false;
	}
	child->key = key;
	child->key_len = key_len;
	**last = child;
	*last = &child->next;
	space(r);
	return true;
}

static bool container(reader *r, fuzz_json *json)
{
	const char close = json->kind == FUZZ_JSON_OBJECT ? '}' : ']';
	fuzz_json **last = &json->first;

	r->at++;
	if (r->depth_left == 0)
		return false;
	r->depth_left--;
	space(r);
	if (!sign(r, close)) {
		do {
			if (!element(r, json, &last))
				return false;
		} while (sign(r, ','));
		if (!sign(r, close))
			return false;
	}
	r->depth_left++;
	return true;
}

static bool word(reader *r, const char *text)
{
	const size_t len = strlen(text);

	if ((size_t)(r->end - r->at) < len || memcmp(r->at, text, len) != 0)
		return false;
	r->at += len;
	return true;
}

static bool fill(reader *r, fuzz_json *json)
{
	switch (*r->at) {
	case '{':
		json->kind = FUZZ_JSON_OBJECT;
		return container(r, json);
	case '[':
		json->kind = FUZZ_JSON_ARRAY;
		return container(r, json);
	case '"':
		json->kind = FUZZ_JSON_TEXT;
		json->text = string(r, &json->text_len);
		return json->text != NULL;
	case 'n':
		json->kind = FUZZ_JSON_NULL;
		return word(r, "null");
	case 't':
		json->kind = FUZZ_JSON_TRUE;
		return word(r, "true");
	case 'f':
		json->kind = FUZZ_JSON_FALSE;
		return word(r, "false");
	default:
		json->kind = FUZZ_JSON_NUMBER;
		return number(r);
	}
}

static fuzz_json *value(reader *r)
{
	fuzz_json *json = calloc(1, sizeof *json);

	fuzz_check(json != NULL);
	space(r);
	json->raw.data = r->at;
	if (r->at == r->end || !fill(r, json)) {
		fuzz_json_free(json);
		return NULL;
	}
	json->raw.len = (size_t)(r->at - json->raw.data);
	return json;
}

fuzz_json *fuzz_json_parse(sb_slice document, unsigned depth_max)
{
	reader r = { document.data, document.data + document.len, depth_max };
	fuzz_json *json;

	if (!fuzz_utf8_is_valid(document))
		return NULL;
	json = value(&r);
	space(&r);
	if (json == NULL || r.at == r.end)
		return json;
	fuzz_json_free(json);
	return NULL;
}

void fuzz_json_free(fuzz_json *json)
{
	while (json != NULL) {
		fuzz_json *next = json->next;

		fuzz_json_free(json->first);
		free(json->text);
		free(json->key);
		free(json);
		json = next;
	}
}

const fuzz_json *fuzz_json_find(const fuzz_json *json, sb_slice key)
{
	const fuzz_json *child =
		json != NULL && json->kind == FUZZ_JSON_OBJECT ? json->first : NULL;

	while (child != NULL && !sb_slice_is_equal(sb_slice_of(child->key, child->key_len), key))
		child = child->next;
	return child;
}

fuzz_json *fuzz_json_own(const stepbus_text *text)
{
	const sb_slice slice = sb_slice_of(stepbus_text_data(text), stepbus_text_len(text));
	fuzz_json *json = fuzz_json_parse(slice, 100);

	if (json == NULL)
		fuzz_fail(__FILE__, __LINE__, "written as JSON: %.*s", (int)slice.len, slice.data);
	return json;
}

size_t fuzz_json_count(const fuzz_json *json)
{
	size_t count = 1;

	for (const fuzz_json *child = json->first; child != NULL; child = child->next)
		count += fuzz_json_count(child);
	return count;
}

static int compare(const void *a, const void *b)
{
	const fuzz_json *one = *(const fuzz_json *const *)a;
	const fuzz_json *two = *(const fuzz_json *const *)b;
	const size_t len = one->key_len < two->key_len ? one->key_len : two->key_len;
	const int order = len > 0 ? memcmp(one->key, two->key, len) : 0;

	return order != 0 ? order : (one->key_len > two->key_len) - (one->key_len < two->key_len);
}

static bool has_own_twins(const fuzz_json *json)
{
	const fuzz_json **members;
	size_t count = 0;
	bool found = false;

	for (const fuzz_json *child = json->first; child != NULL; child = child->next)
		count++;
	if (json->kind != FUZZ_JSON_OBJECT || count < 2)
		return false;
	members = calloc(count, sizeof(fuzz_json *));
	fuzz_check(members != NULL);
	count = 0;
	for (const fuzz_json *child = json->first; child != NULL; child = child->next)
		members[count++] = child;
	qsort(members, count, sizeof(fuzz_json *), compare);
	for (size_t i = 1; i < count; i++)
		found = found || compare(&members[i - 1], &members[i]) == 0;
	free(members);
	return found;
}

bool fuzz_json_has_twins(const fuzz_json *json)
{
	bool found = has_own_twins(json);

	for (const fuzz_json *child = json->first; child != NULL && !found; child = child->next)
		found = fuzz_json_has_twins(child);
	return found;
}
