/* SPDX-License-Identifier: MIT */
/* Bad input for cron entries. */
#include <stdio.h>
#include <string.h>

#include "support/bad_input.h"

static const char good_entry[] =
	"{\"name\":\"n\",\"expression\":\"0 3 * * *\",\"step\":{\"handler\":\"h\"}}";

/* Each of these in the place of one part of a good entry. */
static const char *const wrong_entries[] = {
	"{}",
	"{\"name\":\"n\"}",
	"{\"name\":\"\",\"expression\":\"* * * * *\",\"step\":{\"handler\":\"h\"}}",
	"{\"name\":\"a b\",\"expression\":\"* * * * *\",\"step\":{\"handler\":\"h\"}}",
	"{\"name\":1,\"expression\":\"* * * * *\",\"step\":{\"handler\":\"h\"}}",
	"{\"name\":\"n\",\"name\":\"m\",\"expression\":\"* * * * *\",\"step\":{\"handler\":\"h\"}}",
	"{\"name\":\"n\",\"expression\":\"* * * * *\"}",
	"{\"name\":\"n\",\"expression\":\"* * * * *\",\"step\":[]}",
	"{\"name\":\"n\",\"expression\":\"* * * * *\",\"step\":{}}",
	"{\"name\":\"n\",\"expression\":\"* * * * *\",\"step\":{\"handler\":\"\"}}",
	"{\"name\":\"n\",\"expression\":\"* * * * *\",\"step\":{\"handler\":\"a b\"}}",
	"{\"name\":\"n\",\"expression\":\"* * * * "
	"*\",\"step\":{\"handler\":\"h\",\"priority\":-1}}",
	"{\"name\":\"n\",\"expression\":\"* * * * "
	"*\",\"step\":{\"handler\":\"h\",\"priority\":10001}}",
	"{\"name\":\"n\",\"expression\":\"* * * * "
	"*\",\"step\":{\"handler\":\"h\",\"step_config\":[]}}",
	"{\"name\":\"n\",\"expression\":\"* * * * *\",\"step\":{\"handler\":\"h\",\"tags\":\"x\"}}",
	"{\"name\":\"n\",\"expression\":\"* * * * *\",\"step\":{\"handler\":\"h\",\"odd\":1}}",
	"{\"name\":\"n\",\"expression\":\"* * * * "
	"*\",\"catch_up\":\"some\",\"step\":{\"handler\":\"h\"}}",
	"{\"name\":\"n\",\"expression\":\"* * * * *\",\"paused\":1,\"step\":{\"handler\":\"h\"}}",
	"{\"name\":\"n\",\"expression\":\"* * * * *\",\"zone\":\"\",\"step\":{\"handler\":\"h\"}}",
	"{\"name\":\"n\",\"expression\":\"* * * * *\",\"zone\":1,\"step\":{\"handler\":\"h\"}}",
	"{\"name\":\"n\",\"expression\":\"* * * * "
	"*\",\"zone\":\"../../etc/passwd\",\"step\":{\"handler\":\"h\"}}",
	"{\"name\":\"n\",\"expression\":\"* * * * "
	"*\",\"zone\":\"/etc/passwd\",\"step\":{\"handler\":\"h\"}}",
};

static const char *const wrong_expressions[] = {
	"",
	"*",
	"* * * *",
	"* * * * * * *",
	"60 * * * *",
	"* 24 * * *",
	"* * 0 * *",
	"* * * 13 *",
	"@reboot",
	"*/0 * * * *",
	"5-1 * * * *",
	"* * * * mon-",
	"? * * * *",
	"99999999999999999999 * * * *",
};

static stepbus_status set_text(test_bad *b, const char *entry, stepbus_error *err)
{
	return stepbus_cron_set(b->engine, entry, strlen(entry), err);
}

static void try_expressions(test_bad *b)
{
	char entry[512];

	for (size_t i = 0; i < sizeof wrong_expressions / sizeof *wrong_expressions; i++) {
		snprintf(entry, sizeof entry,
			 "{\"name\":\"n\",\"expression\":\"%s\",\"step\":{\"handler\":\"h\"}}",
			 wrong_expressions[i]);
		BAD(STEPBUS_EINVAL, set_text(b, entry, err));
	}
}

static void cron_set(test_bad *b)
{
	const test_bad_text *json = test_bad_json();
	stepbus_text *text = NULL;

	for (size_t i = 0; i < BAD_JSON_COUNT; i++)
		BAD(STEPBUS_EINVAL, stepbus_cron_set(b->engine, json[i].data, json[i].len, err));
	for (size_t i = 0; i < sizeof wrong_entries / sizeof *wrong_entries; i++)
		BAD(STEPBUS_EINVAL, set_text(b, wrong_entries[i], err));
	try_expressions(b);
	BAD(STEPBUS_ENOTFOUND,
	    set_text(b,
		     "{\"name\":\"n\",\"expression\":\"0 3 * * *\",\"zone\":\"No/Such\","
		     "\"step\":{\"handler\":\"h\"}}",
		     err));
	BAD(STEPBUS_EINVAL, stepbus_cron_set(NULL, good_entry, sizeof good_entry - 1, err));
	BAD(STEPBUS_EINVAL, stepbus_cron_set(b->engine, NULL, 0, err));
	BAD(STEPBUS_EINVAL, stepbus_cron_set(b->engine, NULL, 2, err));
	BAD(STEPBUS_EINVAL, stepbus_cron_set(b->engine, "", 0, err));
	assert_int_equal(stepbus_cron_list(b->engine, &text, NULL), STEPBUS_OK);
	assert_string_equal(stepbus_text_data(text), "[]");
	stepbus_text_free(text);
	BAD(STEPBUS_OK, set_text(b, good_entry, err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, set_text(b, good_entry, err));
}

static void cron_remove(test_bad *b)
{
	const test_bad_text *names = test_bad_names();

	/* What cannot be a name is no entry's name either. */
	for (size_t i = 0; i < BAD_NAME_COUNT; i++) {
		stepbus_error err = STEPBUS_ERROR_INIT;
		stepbus_status status =
			stepbus_cron_remove(b->engine, names[i].data, names[i].len, &err);

		if (status != STEPBUS_EINVAL && status != STEPBUS_ENOTFOUND)
			fail_msg("name %zu: %s", i, stepbus_status_name(status));
		assert_true(err.message[0] != '\0');
	}
	BAD(STEPBUS_ENOTFOUND, stepbus_cron_remove(b->engine, STEPBUS_TEXT("n"), err));
	BAD(STEPBUS_EINVAL, stepbus_cron_remove(NULL, STEPBUS_TEXT("n"), err));
	assert_int_equal(stepbus_stop(b->engine, -1, NULL, NULL), STEPBUS_OK);
	BAD(STEPBUS_ESHUTDOWN, stepbus_cron_remove(b->engine, STEPBUS_TEXT("n"), err));
}

static void cron_list(test_bad *b)
{
	stepbus_text *text = NULL;

	BAD(STEPBUS_EINVAL, stepbus_cron_list(NULL, &text, err));
	BAD(STEPBUS_EINVAL, stepbus_cron_list(b->engine, NULL, err));
	assert_null(text);
}

static const test_bad_row rows[] = {
	{ "stepbus_cron_set", cron_set },
	{ "stepbus_cron_remove", cron_remove },
	{ "stepbus_cron_list", cron_list },
};

const test_bad_rows test_bad_cron = { rows, sizeof rows / sizeof *rows };
