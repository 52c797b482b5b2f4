/* SPDX-License-Identifier: MIT */
#include "bindings/node/src/batch.h"

#include "bindings/node/src/record.h"

enum { WORD = 4, BATCH_LEN_MAX = 16 << 20 };

/* How many of the events fit into one batch, and how many bytes their texts need; one always fits. */
static size_t take(const stepbus_step_event *events, size_t count, size_t *len)
{
	size_t taken = 0;

	*len = 0;
	while (taken < count) {
		size_t more = sbn_record_bytes(&sbn_event_layout, &events[taken]);

		if (taken > 0 && *len + more > BATCH_LEN_MAX)
			break;
		*len += more;
		taken++;
	}
	return taken;
}

static napi_status write_batch(napi_env env, const stepbus_step_event *events, size_t count,
			       size_t len, napi_value *out)
{
	const size_t stride = sbn_record_word_count(&sbn_event_layout);
	size_t used = count * stride * WORD;
	void *data = NULL;
	sbn_block block;
	napi_status status = napi_create_buffer(env, used + len, &data, out);

	if (status != napi_ok)
		return status;
	block = (sbn_block){ .words = data, .bytes = data, .bytes_len = used + len };
	for (size_t i = 0; i < count; i++)
		sbn_record_write(&sbn_event_layout, &events[i], &block, i * stride,
				 i > 0 ? (i - 1) * stride : SIZE_MAX, &used);
	return napi_ok;
}

napi_status sbn_batch_write(napi_env env, const stepbus_step_event *events, size_t count,
			    napi_value *out)
{
	napi_status status = napi_create_array(env, out);

	for (uint32_t at = 0; count > 0 && status == napi_ok; at += 2) {
		napi_value batch;
		napi_value number;
		size_t len;
		size_t taken = take(events, count, &len);

		status = write_batch(env, events, taken, len, &batch);
		if (status == napi_ok)
			status = napi_set_element(env, *out, at, batch);
		if (status == napi_ok)
			status = napi_create_uint32(env, (uint32_t)taken, &number);
		if (status == napi_ok)
			status = napi_set_element(env, *out, at + 1, number);
		events += taken;
		count -= taken;
	}
	return status;
}

napi_status sbn_batch_write_completion(napi_env env, const stepbus_completion *completion,
				       napi_value *out)
{
	size_t used = sbn_record_word_count(&sbn_completion_layout) * WORD;
	size_t len = used + sbn_record_bytes(&sbn_completion_layout, completion);
	void *data = NULL;
	sbn_block block;
	napi_status status = napi_create_buffer(env, len, &data, out);

	if (status != napi_ok)
		return status;
	block = (sbn_block){ .words = data, .bytes = data, .bytes_len = len };
	sbn_record_write(&sbn_completion_layout, completion, &block, 0, SIZE_MAX, &used);
	return napi_ok;
}
