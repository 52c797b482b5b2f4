/* SPDX-License-Identifier: MIT */
#include "handlers/unique.h"

#include "handlers/civil.h"

/* Beside those of SB_UNIQUE_...: the key has a period. */
enum { FLAG_PERIOD = 128 };

static void put_byte(sb_unique_bytes *out, uint32_t byte)
{
	out->data[out->len++] = (char)(byte & 0xFF);
}

static void put_number(sb_unique_bytes *out, int64_t number)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		put_byte(out, (uint32_t)((uint64_t)number >> shift & 0xFF));
}

static void put_text(sb_unique_bytes *out, sb_slice text)
{
	put_byte(out, (uint32_t)(text.len >> 8));
	put_byte(out, (uint32_t)text.len);
	if (text.len > 0)
		memcpy(out->data + out->len, text.data, text.len);
	out->len += text.len;
}

bool sb_unique_idempotency(sb_slice key, sb_unique_bytes *out)
{
	out->len = 0;
	if (key.len > SB_UNIQUE_KEY_LEN_MAX)
		return false;
	put_byte(out, 'i');
	put_text(out, key);
	return true;
}

bool sb_unique_compose(sb_slice key, const sb_unique_scope *scope, sb_unique_bytes *out)
{
	uint32_t flags = scope->flags & (SB_UNIQUE_QUEUE | SB_UNIQUE_HANDLER);

	out->len = 0;
	if (key.len > SB_UNIQUE_KEY_LEN_MAX || scope->queue.len > SB_UNIQUE_NAME_LEN_MAX ||
	    scope->handler_namespace.len > SB_UNIQUE_NAME_LEN_MAX ||
	    scope->name.len > SB_UNIQUE_NAME_LEN_MAX)
		return false;
	put_byte(out, 'u');
	put_byte(out, flags | (scope->period_us > 0 ? FLAG_PERIOD : 0));
	if ((flags & SB_UNIQUE_QUEUE) != 0)
		put_text(out, scope->queue);
	if ((flags & SB_UNIQUE_HANDLER) != 0) {
		put_text(out, scope->handler_namespace);
		put_text(out, scope->name);
	}
	put_text(out, key);
	if (scope->period_us > 0) {
		put_number(out, scope->period_us);
		put_number(out, sb_civil_divide(scope->now_us, scope->period_us));
	}
	return true;
}

static bool take_text(sb_slice *rest, sb_slice *text)
{
	const unsigned char *bytes = (const unsigned char *)rest->data;
	size_t len;

	if (rest->len < 2)
		return false;
	len = (size_t)bytes[0] << 8 | bytes[1];
	if (len > rest->len - 2)
		return false;
	*text = sb_slice_of(rest->data + 2, len);
	*rest = sb_slice_of(rest->data + 2 + len, rest->len - 2 - len);
	return true;
}

sb_slice sb_unique_key_of(sb_slice composed)
{
	sb_slice rest = composed, text = { NULL, 0 };
	uint32_t flags = 0;
	bool is_read = true;

	if (composed.len < 2 || (*composed.data != 'i' && *composed.data != 'u'))
		return text;
	if (*composed.data == 'u')
		flags = (unsigned char)composed.data[1];
	rest = sb_slice_of(composed.data + (*composed.data == 'u' ? 2 : 1),
			   composed.len - (*composed.data == 'u' ? 2 : 1));
	if ((flags & SB_UNIQUE_QUEUE) != 0)
		is_read = take_text(&rest, &text);
	if ((flags & SB_UNIQUE_HANDLER) != 0)
		is_read = is_read && take_text(&rest, &text) && take_text(&rest, &text);
	is_read = is_read && take_text(&rest, &text);
	return is_read ? text : sb_slice_of(NULL, 0);
}
