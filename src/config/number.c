/* SPDX-License-Identifier: MIT */
#include "config/number.h"

#include <locale.h>
#include <stdlib.h>

/* Beyond every length of a document, so that no digits can make up for it. */
static const int64_t exponent_max = INT64_C(1) << 40;

typedef struct decimal {
	uint64_t digits; /* without the zeros that end them */
	int64_t scale;   /* times ten to this */
	bool is_negative;
	bool is_beyond; /* more digits than uint64_t holds */
} decimal;

static void add_digit(decimal *d, unsigned digit)
{
	if (d->digits > (UINT64_MAX - digit) / 10)
		d->is_beyond = true;
	else
		d->digits = d->digits * 10 + digit;
}

/* A zero is only counted until a digit behind it says that it matters. */
static void read_digits(decimal *d, const char **next, const char *end, int64_t *zero_count)
{
	for (; *next < end && **next >= '0' && **next <= '9'; ++*next) {
		if (**next == '0') {
			++*zero_count;
			continue;
		}
		for (; *zero_count > 0 && d->digits > 0 && !d->is_beyond; --*zero_count)
			add_digit(d, 0);
		*zero_count = 0;
		add_digit(d, (unsigned)(**next - '0'));
	}
}

static int64_t read_exponent(const char *next, const char *end)
{
	bool is_negative = next < end && *next == '-';
	int64_t exponent = 0;

	if (next < end && (*next == '-' || *next == '+'))
		next++;
	for (; next < end; next++)
		if (exponent < exponent_max)
			exponent = exponent * 10 + (*next - '0');
	return is_negative ? -exponent : exponent;
}

static decimal read_decimal(sb_slice text)
{
	const char *next = text.data, *end = text.data + text.len;
	decimal d = { 0 };
	int64_t zero_count = 0;

	if (next < end && (*next == '-' || *next == '+'))
		d.is_negative = *next++ == '-';
	read_digits(&d, &next, end, &zero_count);
	if (next < end && *next == '.') {
		const char *fraction = ++next;

		read_digits(&d, &next, end, &zero_count);
		d.scale = -(int64_t)(next - fraction);
	}
	d.scale += zero_count;
	if (next < end)
		d.scale += read_exponent(next + 1, end);
	return d;
}

bool sb_number_is_integer(sb_slice text, int64_t *integer)
{
	decimal d = read_decimal(text);
	uint64_t limit = (uint64_t)INT64_MAX + d.is_negative;

	*integer = 0;
	if (d.digits == 0)
		return true;
	if (d.is_beyond || d.scale < 0)
		return false;
	for (; d.scale > 0 && d.digits <= limit / 10; d.scale--)
		d.digits *= 10;
	if (d.scale > 0 || d.digits > limit)
		return false;
	*integer = d.is_negative ? (int64_t)(0 - d.digits) : (int64_t)d.digits;
	return true;
}

bool sb_number_to_double(sb_slice text, double *number)
{
	/* strtod would read with the decimal point of whatever locale the host is in. */
	locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);

	if (locale == (locale_t)0)
		return false;
	*number = strtod_l(text.data, NULL, locale);
	freelocale(locale);
	return true;
}
