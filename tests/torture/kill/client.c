/* SPDX-License-Identifier: MIT */
/*
 * Two that only look. A client opens the store anew and asks for steps that others were acknowledged,
 * as the log says. The counter asks, when all is over, how many steps there are in each state.
 */
#include "torture/kill/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torture/history/observer.h"

enum { PAUSE_US = 30000, LOOKED_FOR = 8, LINE_LEN = 160, ID_LEN = 36 };

/* All ids of a file end alike, behind the number of the step. */
static bool find_tag(stepbus *engine, uint8_t tag[16])
{
	static const char mark[] = "\"step_id\":\"";
	static const char filter[] = "{\"limit\":1}";
	stepbus_text *page = NULL;
	const char *at;
	bool is_found = false;

	if (stepbus_step_list(engine, STEPBUS_TEXT(filter), &page, NULL) != STEPBUS_OK)
		return false;
	at = strstr(stepbus_text_data(page), mark);
	if (at != NULL)
		is_found = stepbus_id_parse(at + sizeof mark - 1, ID_LEN, tag, NULL) == STEPBUS_OK;
	stepbus_text_free(page);
	return is_found;
}

static void look_for(stepbus *engine, const uint8_t tag[16], int64_t number)
{
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus_text *text = NULL;
	stepbus_status status;
	uint8_t id[16];

	memcpy(id, tag, sizeof id);
	for (int i = 0; i < 6; i++)
		id[i] = (uint8_t)(number >> (40 - 8 * i));
	status = stepbus_step_info(engine, id, &text, &err);
	stepbus_text_free(text);
	if (status == STEPBUS_OK || status == STEPBUS_ENOTFOUND)
		observer_note(LOG_SEEN, number, status == STEPBUS_OK, 0, 0);
	else if (status != STEPBUS_EBUSY)
		observer_fail("look for a step", status, err.message);
}

/* Some of the acknowledgements behind a place in the log; the first line may be cut. */
static void look_behind(stepbus *engine, const uint8_t tag[16], FILE *log, long place)
{
	char line[LINE_LEN];
	int looked_for = 0;
	int64_t number;

	if (fseek(log, place, SEEK_SET) != 0 || fgets(line, sizeof line, log) == NULL)
		return;
	while (looked_for < LOOKED_FOR && fgets(line, sizeof line, log) != NULL &&
	       strchr(line, '\n') != NULL)
		if (sscanf(line, "K %*d %*d %*d %*d %ld", &number) == 1) {
			look_for(engine, tag, number);
			looked_for++;
		}
}

int role_client(const role_options *options)
{
	uint32_t random = (uint32_t)options->process * 374761393U;
	stepbus *engine = role_open(options);
	FILE *log = fopen(options->log_path, "re");
	uint8_t tag[16];

	if (engine == NULL || log == NULL)
		return 1;
	observer_note(LOG_READY, 0, 0, 0, 0);
	while (!role_is_ended()) {
		long len = fseek(log, 0, SEEK_END) == 0 ? ftell(log) : 0;
		/* Half of them are of the last moments. */
		long from = role_draw(&random, 2) == 0 && len > 8192 ? len - 8192 : 0;

		if (len > LINE_LEN && find_tag(engine, tag))
			look_behind(engine, tag, log,
				    from + (long)role_draw(&random, (uint32_t)(len - from)));
		role_pause_us(PAUSE_US);
	}
	(void)fclose(log);
	role_close(engine, false);
	return 0;
}

int role_counter(const role_options *options)
{
	static const struct {
		char letter;
		const char *name;
	} states[] = {
		{ STATE_WAITING, "waiting" },
		{ STATE_SCHEDULED, "scheduled" },
		{ STATE_READY, "ready" },
		{ STATE_PARKED, "parked" },
		{ STATE_RUNNING, "running" },
		{ STATE_COMPLETED, "completed" },
		{ STATE_FAILED, "failed" },
		{ STATE_CANCELLED, "cancelled" },
		{ STATE_QUARANTINED, "quarantined" },
	};
	stepbus_error err = STEPBUS_ERROR_INIT;
	stepbus *engine = role_open(options);
	stepbus_status status = engine == NULL ? STEPBUS_ESTORE : STEPBUS_OK;

	for (size_t i = 0; status == STEPBUS_OK && i < sizeof states / sizeof *states; i++) {
		char filter[64];
		uint64_t count = 0;
		int len = snprintf(filter, sizeof filter, "{\"state\":\"%s\"}", states[i].name);

		status = stepbus_step_count(engine, filter, (size_t)len, &count, &err);
		if (status == STEPBUS_OK)
			observer_note(LOG_COUNTED, states[i].letter, (int64_t)count, 0, 0);
		else
			observer_fail("count steps", status, err.message);
	}
	role_close(engine, false);
	return status != STEPBUS_OK;
}
