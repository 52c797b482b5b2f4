/* SPDX-License-Identifier: MIT */
/* The exported functions about the library itself: versions, status names, texts and ids. */
#include "base/clock.h"
#include "base/host.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/map.h"
#include "base/status.h"
#include "bridge/loop.h"
#include "ffi/arguments.h"

const char *stepbus_status_name(int32_t code)
{
	return sb_status_name(code);
}

const char *stepbus_version(void)
{
	return STEPBUS_VERSION;
}

uint32_t stepbus_abi_version(void)
{
	return STEPBUS_ABI_VERSION;
}

const char *stepbus_text_data(const stepbus_text *text)
{
	return sb_text_data(text);
}

size_t stepbus_text_len(const stepbus_text *text)
{
	return sb_text_len(text);
}

void stepbus_text_free(stepbus_text *text)
{
	sb_text_free(text);
}

stepbus_status stepbus_build_info(stepbus_text **out, stepbus_error *err)
{
	stepbus_host host;
	stepbus_status status = sb_argument_check(out, "out", err);
	sb_json *json, *dependencies;
	bool is_complete;

	if (status == STEPBUS_OK)
		status = sb_host_fill(NULL, &host, err);
	if (status != STEPBUS_OK)
		return status;
	json = sb_json_object_new();
	dependencies = sb_json_object_new();
	is_complete =
		sb_json_add_text(json, "name", sb_slice_z("stepbus")) &&
		sb_json_add_text(json, "version", sb_slice_z(STEPBUS_VERSION)) &&
		sb_json_add_int(json, "abi_version", STEPBUS_ABI_VERSION) &&
		sb_json_add_text(json, "compiler", sb_slice_z(__VERSION__)) &&
		sb_json_add_text(json, "discovery", sb_slice_z("compiled out")) &&
		sb_json_add_text(dependencies, "libevent", sb_slice_z(sb_loop_library_version())) &&
		sb_json_add_text(dependencies, "cjson", sb_slice_z(sb_json_library_version())) &&
		sb_json_add_text(dependencies, "uthash", sb_slice_z(SB_MAP_LIBRARY_VERSION));
	is_complete = sb_json_add_part_take(json, "dependencies", dependencies) && is_complete;
	return sb_json_print_take(json, is_complete, &host, out, err);
}

stepbus_status stepbus_id_new(uint8_t *id, stepbus_error *err)
{
	SB_UNCANCELLED;
	uint8_t random[SB_ID_RANDOM_LEN];
	stepbus_host host;
	stepbus_status status = sb_argument_check(id, "id", err);

	if (status == STEPBUS_OK)
		status = sb_host_fill(NULL, &host, err);
	if (status == STEPBUS_OK)
		status = sb_random_fill(&host, random, sizeof random, err);
	if (status == STEPBUS_OK)
		sb_id_make(id, (uint64_t)(sb_clock_now_us(&host) / 1000), random);
	return status;
}

stepbus_status stepbus_id_format(const uint8_t *id, char *text, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(id, "id", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(text, "text", err);
	if (status == STEPBUS_OK)
		sb_id_format(id, text);
	return status;
}

stepbus_status stepbus_id_parse(const char *text, size_t len, uint8_t *id, stepbus_error *err)
{
	stepbus_status status = sb_argument_check(text, "text", err);

	if (status == STEPBUS_OK)
		status = sb_argument_check(id, "id", err);
	if (status == STEPBUS_OK && !sb_id_parse(text, len, id))
		return sb_fail(err, STEPBUS_EINVAL,
			       "the text is no id: 8-4-4-4-12 hexadecimal digits are");
	return status;
}
