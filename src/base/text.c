/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include "base/error.h"
#include "base/memory.h"

struct stepbus_text {
	stepbus_host host;
	size_t len;
	char data[];
};

stepbus_status sb_text_new(const stepbus_host *host, const char *data, size_t len,
			   stepbus_text **out, stepbus_error *err)
{
	stepbus_text *text = NULL;

	if (len < SIZE_MAX - sizeof *text - 1)
		text = sb_alloc(host, sizeof *text + len + 1);
	if (text == NULL)
		return sb_fail_memory(err, "make a text");
	text->host = *host;
	text->len = len;
	if (len > 0)
		memcpy(text->data, data, len);
	*out = text;
	return STEPBUS_OK;
}

const char *sb_text_data(const stepbus_text *text)
{
	return text != NULL ? text->data : "";
}

size_t sb_text_len(const stepbus_text *text)
{
	return text != NULL ? text->len : 0;
}

void sb_text_free(stepbus_text *text)
{
	stepbus_host host;

	if (text == NULL)
		return;
	host = text->host;
	sb_release(&host, text);
}
