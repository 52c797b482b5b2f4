/* SPDX-License-Identifier: MIT */
/* The tables of the configuration themselves: that they are sound, and that all is documented. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/cron_config.h"
#include "config/engine_config.h"
#include "config/step_query.h"
#include "config/value.h"
#include "config/worker_config.h"
#include "registry/definition.h"
#include "store/step_state.h"
#include "support/cmocka.h"

typedef struct table_row {
	const char *section; /* of docs/CONFIGURATION.md */
	const sb_config_table *table;
	size_t len; /* of the struct */
} table_row;

static const table_row tables[] = {
	{ "## Engine\n", &sb_engine_config_table, sizeof(sb_engine_config) },
	{ "## Retention\n", &sb_retention_config_table, sizeof(sb_retention_config) },
	{ "## Breaker\n", &sb_breaker_config_table, sizeof(sb_breaker_config) },
	{ "## Retry\n", &sb_retry_config_table, sizeof(sb_retry_config) },
	{ "## Queue\n", &sb_queue_config_table, sizeof(sb_queue_config) },
	{ "## Worker\n", &sb_worker_config_table, sizeof(sb_worker_config) },
	{ "## Cron entry\n", &sb_cron_config_table, sizeof(sb_cron_config) },
	{ "## Step\n", &sb_step_config_table, sizeof(sb_step_config) },
	{ "## Query\n", &sb_step_query_table, sizeof(sb_step_query) },
	/* Documented with the other one. */
	{ NULL, &sb_step_retry_config_table, sizeof(sb_retry_config) },
};

static void visit_fields(void (*visit)(const table_row *row, const sb_config_field *field))
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (size_t k = 0; k < tables[i].table->count; k++)
			visit(&tables[i], &tables[i].table->fields[k]);
}

static size_t width_of(const sb_config_field *field)
{
	switch (field->kind) {
	case SB_CONFIG_BOOLEAN:
		return sizeof(bool);
	case SB_CONFIG_TEXT:
	case SB_CONFIG_RAW:
		return sizeof(sb_slice);
	case SB_CONFIG_TIME:
		return sizeof(int64_t);
	case SB_CONFIG_CHOICES:
		return sizeof(uint32_t);
	case SB_CONFIG_LIST:
	case SB_CONFIG_MAP:
		return sizeof(sb_config_list);
	case SB_CONFIG_INTEGER:
	case SB_CONFIG_CHOICE:
	case SB_CONFIG_OBJECT:
		break;
	}
	return field->width;
}

static void expect_sound(const table_row *row, const sb_config_field *field)
{
	const int64_t width_max = field->width == 8 ? INT64_MAX :
				  field->width == 4 ? UINT32_MAX :
						      UINT16_MAX;

	if (field->width != width_of(field) || field->width == 0 ||
	    field->offset + field->width > row->len)
		fail_msg("%s: its member is of another type", field->name);
	if (field->kind == SB_CONFIG_INTEGER && (field->min > field->max || field->max > width_max))
		fail_msg("%s: its range does not fit its member", field->name);
	if ((field->kind == SB_CONFIG_CHOICE || field->kind == SB_CONFIG_CHOICES) !=
	    (field->choices != NULL))
		fail_msg("%s: choices belong to what is chosen", field->name);
	if ((field->kind == SB_CONFIG_OBJECT) != (field->table != NULL))
		fail_msg("%s: a table belongs to an object", field->name);
	if ((field->kind == SB_CONFIG_LIST || field->kind == SB_CONFIG_MAP) !=
	    (field->element != NULL))
		fail_msg("%s: an element belongs to a list or map", field->name);
	/* A default out of range means "not said". */
	if (field->kind == SB_CONFIG_INTEGER && field->initial > field->max)
		fail_msg("%s: its default is beyond its range", field->name);
}

static void every_table_is_sound(void **state)
{
	(void)state;
	visit_fields(expect_sound);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		const sb_config_table *table = tables[i].table;

		assert_true(table->count <= SB_CONFIG_FIELD_COUNT_MAX);
		for (size_t k = 0; k < table->count; k++)
			for (size_t l = 0; l < k; l++)
				assert_string_not_equal(table->fields[k].name,
							table->fields[l].name);
	}
}

static void expect_describable(const table_row *row, const sb_config_field *field)
{
	char allowed[SB_CONFIG_ALLOWED_LEN];

	(void)row;
	sb_config_value_allowed(field, allowed);
	assert_true(strlen(allowed) > 0 && strlen(allowed) < sizeof allowed - 1);
}

static void every_field_can_say_what_it_takes(void **state)
{
	(void)state;
	visit_fields(expect_describable);
}

static void all_keys_of_a_table_fit_into_a_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		size_t len = 0;

		for (size_t k = 0; k < tables[i].table->count; k++)
			len += strlen(tables[i].table->fields[k].name) + 2;
		assert_true(len < 600);
	}
}

/* docs/CONFIGURATION.md, once read. */
static char *manual;

static int read_manual(void **state)
{
	FILE *file = fopen("docs/CONFIGURATION.md", "rb");
	const size_t room = 256 * 1024;

	(void)state;
	manual = calloc(1, room);
	if (file == NULL || manual == NULL)
		return -1;
	if (fread(manual, 1, room - 1, file) == 0)
		return -1;
	fclose(file);
	return 0;
}

static int free_manual(void **state)
{
	(void)state;
	free(manual);
	return 0;
}

/* Copies the row of a key in a section, or fails. */
static void find_row(const table_row *row, const char *key, char *line, size_t room)
{
	const char *section = strstr(manual, row->section);
	const char *end, *found;
	char start[96];

	if (section == NULL)
		fail_msg("docs/CONFIGURATION.md has no section %s", row->section);
	end = strstr(section + 3, "\n## ");
	snprintf(start, sizeof start, "\n| `%s` |", key);
	found = strstr(section, start);
	if (found == NULL || (end != NULL && found > end))
		fail_msg("docs/CONFIGURATION.md: %s has no row for %s", row->section, key);
	snprintf(line, room, "%.*s", (int)strcspn(found + 1, "\n"), found + 1);
}

static void expect_in(const char *line, const char *wanted)
{
	if (strstr(line, wanted) == NULL)
		fail_msg("docs/CONFIGURATION.md: \"%s\" does not say \"%s\"", line, wanted);
}

static void expect_choices(const char *line, const sb_config_field *field)
{
	char text[64];

	for (const sb_config_choice *choice = field->choices; choice->name != NULL; choice++) {
		snprintf(text, sizeof text, "`%s`", choice->name);
		expect_in(line, text);
		if (field->kind == SB_CONFIG_CHOICE && choice->value == field->initial) {
			snprintf(text, sizeof text, "| %s |", choice->name);
			expect_in(line, text);
		}
	}
}

static void expect_documented(const table_row *row, const sb_config_field *field)
{
	char line[1024], text[96];

	if (row->section == NULL)
		return;
	find_row(row, field->name, line, sizeof line);
	if ((field->flags & SB_CONFIG_REQUIRED) != 0)
		expect_in(line, "| required |");
	if (field->kind == SB_CONFIG_INTEGER || field->kind == SB_CONFIG_LIST ||
	    field->kind == SB_CONFIG_MAP) {
		snprintf(text, sizeof text, "%" PRId64 " to %" PRId64, field->min, field->max);
		expect_in(line, text);
	}
	if (field->kind == SB_CONFIG_INTEGER && field->initial >= field->min) {
		snprintf(text, sizeof text, "| %" PRId64 " |", field->initial);
		expect_in(line, text);
	}
	if (field->kind == SB_CONFIG_BOOLEAN)
		expect_in(line, field->initial != 0 ? "| true |" : "| false |");
	if (field->initial_text != NULL) {
		snprintf(text, sizeof text, "| %s |", field->initial_text);
		expect_in(line, text);
	}
	if (field->choices != NULL)
		expect_choices(line, field);
}

static void every_key_is_documented_with_its_range_and_default(void **state)
{
	(void)state;
	visit_fields(expect_documented);
}

/* The layers do not know each other, but the numbers must be the same. */
static void numbers_are_those_of_the_layers_they_go_to(void **state)
{
	const sb_config_choice *choice = sb_step_query_table.fields[0].choices;
	int count = 0;

	(void)state;
	for (; choice->name != NULL; choice++, count++)
		assert_string_equal(choice->name, sb_step_state_name(choice->value));
	assert_int_equal(count, SB_STEP_STATE_MAX);
	assert_int_equal(SB_CONFIG_NAME_LEN_MAX, SB_NAME_LEN_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_table_is_sound),
		cmocka_unit_test(every_field_can_say_what_it_takes),
		cmocka_unit_test(all_keys_of_a_table_fit_into_a_message),
		cmocka_unit_test(every_key_is_documented_with_its_range_and_default),
		cmocka_unit_test(numbers_are_those_of_the_layers_they_go_to),
	};

	return cmocka_run_group_tests(tests, read_manual, free_manual);
}
