/* SPDX-License-Identifier: MIT */
#include "handlers/cron_expression.h"

#include "base/error.h"
#include "base/utf8.h"

enum { FIELD_COUNT = 6, NAME_LEN = 3, NUMBER_MAX = 9999 };

typedef enum field_kind { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY } field_kind;

typedef struct field {
	const char *name;
	int lowest;
	int highest;
	const char *words; /* three letters each, from lowest on; NULL: none */
} field;

static const field fields[FIELD_COUNT] = {
	[SECOND] = { "second", 0, 59, NULL },
	[MINUTE] = { "minute", 0, 59, NULL },
	[HOUR] = { "hour", 0, 23, NULL },
	[DAY] = { "day of month", 1, 31, NULL },
	[MONTH] = { "month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec" },
	[WEEKDAY] = { "day of week", 0, 7, "sunmontuewedthufrisat" },
};

typedef struct macro {
	const char *name;
	const char *expression;
} macro;

static const macro macros[] = {
	{ "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
	{ "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
	{ "@hourly", "0 * * * *" },
};

/* Where the reading is. text ends with the field that is being read. */
typedef struct reader {
	sb_slice text;
	size_t at;
	const field *field;
	stepbus_error *err;
} reader;

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The next byte; NUL at the end, as also for a NUL, which is nowhere allowed. */
static char peek(const reader *r)
{
	return r->at < r->text.len ? r->text.data[r->at] : '\0';
}

static bool take(reader *r, char wanted)
{
	if (peek(r) != wanted)
		return false;
	r->at++;
	return true;
}

static stepbus_status fail_range(const reader *r, size_t at, int number, const char *what)
{
	return sb_fail(r->err, STEPBUS_EINVAL,
		       "the %s at byte %zu has the %s %d: %d to %d is "
		       "allowed",
		       r->field->name, at + 1, what, number, r->field->lowest, r->field->highest);
}

static stepbus_status fail_byte(const reader *r, const char *wanted)
{
	sb_shown shown;

	if (r->at >= r->text.len)
		return sb_fail(r->err, STEPBUS_EINVAL, "the %s ends at byte %zu: %s is missing",
			       r->field->name, r->at, wanted);
	return sb_fail(r->err, STEPBUS_EINVAL, "the %s has '%s' at byte %zu: %s is allowed there",
		       r->field->name, sb_show(&shown, r->text.data + r->at, 1), r->at + 1, wanted);
}

/* Large numbers stay large. */
static int take_digits(reader *r)
{
	int number = 0;

	for (; is_digit(peek(r)); r->at++)
		if (number <= NUMBER_MAX)
			number = number * 10 + (peek(r) - '0');
	return number <= NUMBER_MAX ? number : NUMBER_MAX;
}

/* Takes the name of a month or a day; -1 where there is none. */
static int take_word(reader *r)
{
	const char *words = r->field->words;

	if (words == NULL || r->text.len - r->at < NAME_LEN)
		return -1;
	for (int i = 0; words[i] != '\0'; i += NAME_LEN) {
		const char *text = r->text.data + r->at;

		if (lower(text[0]) == words[i] && lower(text[1]) == words[i + 1] &&
		    lower(text[2]) == words[i + 2]) {
			r->at += NAME_LEN;
			return r->field->lowest + i / NAME_LEN;
		}
	}
	return -1;
}

static stepbus_status read_value(reader *r, int *out)
{
	size_t at = r->at;

	if (!is_digit(peek(r))) {
		*out = take_word(r);
		if (*out < 0)
			return fail_byte(r, r->field->words != NULL ? "a number or a name" :
								      "a number");
		return STEPBUS_OK;
	}
	*out = take_digits(r);
	if (*out < r->field->lowest || *out > r->field->highest)
		return fail_range(r, at, *out, "value");
	return STEPBUS_OK;
}

static stepbus_status read_range(reader *r, int *first, int *last)
{
	/* Sunday is 7 only where a range ends with it; all days are 0 to 6. */
	int is_weekday = r->field == &fields[WEEKDAY];
	size_t at = r->at;
	stepbus_status status;

	if (take(r, '*')) {
		*first = r->field->lowest;
		*last = r->field->highest - is_weekday;
		return STEPBUS_OK;
	}
	status = read_value(r, first);
	*last = *first;
	if (status != STEPBUS_OK)
		return status;
	if (peek(r) == '/') {
		*first %= r->field->highest + 1 - is_weekday;
		*last = r->field->highest - is_weekday;
		return STEPBUS_OK;
	}
	if (!take(r, '-'))
		return STEPBUS_OK;
	status = read_value(r, last);
	if (status == STEPBUS_OK && is_weekday && *last == 0 && *first > 0)
		*last = 7;
	if (status == STEPBUS_OK && *first > *last)
		return sb_fail(r->err, STEPBUS_EINVAL,
			       "the %s at byte %zu has the range %d-%d, which ends before it "
			       "begins",
			       r->field->name, at + 1, *first, *last);
	return status;
}

static stepbus_status read_step(reader *r, int *step)
{
	size_t at = r->at;

	*step = 1;
	if (!take(r, '/'))
		return STEPBUS_OK;
	if (!is_digit(peek(r)))
		return fail_byte(r, "a number");
	*step = take_digits(r);
	if (*step < 1 || *step > r->field->highest)
		return sb_fail(r->err, STEPBUS_EINVAL,
			       "the %s at byte %zu has the step %d: 1 to %d is allowed",
			       r->field->name, at + 2, *step, r->field->highest);
	return STEPBUS_OK;
}

static stepbus_status read_field(reader *r, uint64_t *bits)
{
	*bits = 0;
	do {
		int first, last, step;
		stepbus_status status = read_range(r, &first, &last);

		if (status == STEPBUS_OK)
			status = read_step(r, &step);
		if (status != STEPBUS_OK)
			return status;
		for (int value = first; value <= last; value += step)
			*bits |= UINT64_C(1) << value;
	} while (take(r, ','));
	if (r->at < r->text.len)
		return fail_byte(r, "',', '-', '/' or the next field");
	return STEPBUS_OK;
}

/* Finds where the fields begin and end; the count goes on beyond what there is room for. */
static size_t split(sb_slice text, sb_slice parts[FIELD_COUNT])
{
	size_t count = 0;

	for (size_t i = 0; i < text.len;) {
		size_t begin = i;

		if (is_blank(text.data[i])) {
			i++;
			continue;
		}
		while (i < text.len && !is_blank(text.data[i]))
			i++;
		if (count < FIELD_COUNT)
			parts[count] = sb_slice_of(text.data + begin, i - begin);
		count++;
	}
	return count;
}

static stepbus_status fail_macro(sb_slice text, stepbus_error *err)
{
	sb_shown shown;

	return sb_fail(err, STEPBUS_EINVAL,
		       "there is no '%s': @yearly, @annually, @monthly, @weekly, @daily, @midnight "
		       "and @hourly are allowed",
		       sb_show(&shown, text.data, text.len));
}

static bool is_macro(sb_slice text, const char *name)
{
	if (text.len != strlen(name))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (lower(text.data[i]) != name[i])
			return false;
	return true;
}

static stepbus_status expand(sb_slice *text, stepbus_error *err)
{
	sb_slice parts[FIELD_COUNT];

	if (split(*text, parts) != 1 || parts[0].data[0] != '@')
		return STEPBUS_OK;
	for (size_t i = 0; i < sizeof macros / sizeof *macros; i++)
		if (is_macro(parts[0], macros[i].name)) {
			*text = sb_slice_z(macros[i].expression);
			return STEPBUS_OK;
		}
	return fail_macro(parts[0], err);
}

static bool begins_with_star(sb_slice part)
{
	return part.data[0] == '*';
}

/* parts are those of all six fields; that of the second has no text where it was left out. */
static stepbus_status read_fields(sb_slice text, const sb_slice parts[FIELD_COUNT],
				  uint64_t bits[FIELD_COUNT], stepbus_error *err)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		size_t begin;
		reader r;
		stepbus_status status;

		if (parts[i].len == 0) {
			bits[i] = 1;
			continue;
		}
		begin = (size_t)(parts[i].data - text.data);
		r = (reader){ sb_slice_of(text.data, begin + parts[i].len), begin, &fields[i],
			      err };
		status = read_field(&r, &bits[i]);
		if (status != STEPBUS_OK)
			return status;
	}
	return STEPBUS_OK;
}

static stepbus_status read_expression(sb_slice text, sb_cron_expression *out, stepbus_error *err)
{
	sb_slice parts[FIELD_COUNT] = { { NULL, 0 } };
	uint64_t bits[FIELD_COUNT];
	stepbus_status status = expand(&text, err);
	size_t count;

	if (status != STEPBUS_OK)
		return status;
	count = split(text, parts);
	if (count < FIELD_COUNT - 1 || count > FIELD_COUNT)
		return sb_fail(err, STEPBUS_EINVAL,
			       "it has %zu fields: 5 (minute, hour, day of month, month, day of "
			       "week) or 6 (second in front) are wanted",
			       count);
	if (count < FIELD_COUNT) {
		memmove(parts + 1, parts, (FIELD_COUNT - 1) * sizeof *parts);
		parts[SECOND] = sb_slice_of(NULL, 0);
	}
	status = read_fields(text, parts, bits, err);
	if (status != STEPBUS_OK)
		return status;
	/* Sunday is 0 and 7. */
	bits[WEEKDAY] = (bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7F;
	*out = (sb_cron_expression){
		.seconds = bits[SECOND],
		.minutes = bits[MINUTE],
		.hours = (uint32_t)bits[HOUR],
		.days = (uint32_t)bits[DAY],
		.months = (uint32_t)bits[MONTH],
		.weekdays = (uint32_t)bits[WEEKDAY],
		.is_either_day = !begins_with_star(parts[DAY]) && !begins_with_star(parts[WEEKDAY]),
		.is_interval = begins_with_star(parts[MINUTE]) || begins_with_star(parts[HOUR]),
	};
	return STEPBUS_OK;
}

stepbus_status sb_cron_parse(sb_slice text, sb_cron_expression *out, stepbus_error *err)
{
	stepbus_status status;
	sb_shown shown;

	*out = (sb_cron_expression){ 0 };
	if (text.len > SB_CRON_LEN_MAX)
		status = sb_fail(err, STEPBUS_EINVAL, "it has %zu bytes: %d are allowed", text.len,
				 SB_CRON_LEN_MAX);
	else
		status = read_expression(text, out, err);
	if (status != STEPBUS_OK)
		sb_fail_where(err, "cannot read the cron expression '%s': ",
			      sb_show(&shown, text.data, text.len));
	return status;
}
