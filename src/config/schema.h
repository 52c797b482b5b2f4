/* SPDX-License-Identifier: MIT */
/*
 * What a configuration may say, as static tables, and the one function that holds a tree against
 * one and fills a struct from it. A message names the key, what was given, what is allowed and, for
 * a key that does not exist, the nearest that does. Of several errors the first in the order of the
 * document is told, and how many follow.
 *
 * A key that is not given has its default. Texts and lists point into the tree, which must outlive
 * the struct. Needs no memory. Pure.
 */
#ifndef SB_CONFIG_SCHEMA_H
#define SB_CONFIG_SCHEMA_H

#include "config/tree.h"

typedef enum sb_config_kind {
	SB_CONFIG_BOOLEAN = 1, /* bool */
	SB_CONFIG_INTEGER,     /* an integer of any width */
	SB_CONFIG_TEXT,        /* sb_slice */
	SB_CONFIG_TIME,        /* int64_t, in us: an RFC 3339 text or an integer */
	SB_CONFIG_CHOICE,      /* an integer of any width: the value of the name that is given */
	SB_CONFIG_CHOICES,     /* uint32_t: one name, or an array of them, as bits 1 << value */
	SB_CONFIG_RAW,         /* sb_slice: any value, as it stands in the document: JSON in JSON */
	SB_CONFIG_OBJECT,      /* the struct of its own table */
	SB_CONFIG_LIST,        /* sb_config_list: an array of elements */
	SB_CONFIG_MAP,         /* sb_config_list: an object of elements under names of any kind */
} sb_config_kind;

enum {
	SB_CONFIG_REQUIRED = 1,
	SB_CONFIG_NULLABLE = 2, /* null stands for what null says */
};

/* Elements, each already found right: texts by node.value.text, objects by sb_config_apply. */
typedef struct sb_config_list {
	const sb_config_node *first;
	uint32_t count;
} sb_config_list;

/* An array of them ends in one without a name. */
typedef struct sb_config_choice {
	const char *name;
	int32_t value;
} sb_config_choice;

typedef struct sb_config_field {
	const char *name; /* NULL for an element */
	sb_config_kind kind;
	uint32_t flags;
	size_t offset;
	size_t width;
	int64_t min; /* of a number; of a text's bytes; of the count of a list or map */
	int64_t max;
	int64_t initial;          /* the default of a number, boolean, time or choice */
	int64_t null;             /* what null stands for */
	const char *initial_text; /* the default of a text; NULL: an empty one */
	const char *
		signs; /* a text, or a map's keys, are of [A-Za-z0-9] and these; NULL: of anything */
	const sb_config_choice *choices;
	const struct sb_config_table *table;   /* of an object */
	const struct sb_config_field *element; /* of a list or map */
} sb_config_field;

/* At most SB_CONFIG_FIELD_COUNT_MAX fields, and SB_CONFIG_TABLE_DEPTH_MAX tables in each other. */
typedef struct sb_config_table {
	const sb_config_field *fields;
	size_t count;
} sb_config_table;

/* What names are made of, wherever a configuration has one. */
#define SB_CONFIG_NAME_SIGNS "_.:/-"
enum { SB_CONFIG_NAME_LEN_MAX = 128 };

enum { SB_CONFIG_FIELD_COUNT_MAX = 64, SB_CONFIG_TABLE_DEPTH_MAX = 6 };

/* For a table's fields: the member that a field fills. */
#define SB_CONFIG_MEMBER(type, member) \
	.offset = offsetof(type, member), .width = sizeof(((type *)0)->member)

/*
 * Fills the members of *out that the table names; on failure out is untouched. errors:
 * STEPBUS_EINVAL.
 */
stepbus_status sb_config_apply(const sb_config_table *table, const sb_config_node *node, void *out,
			       stepbus_error *err);
/* The same, but what is not given stays as it is in *out, and nothing is required. */
stepbus_status sb_config_change(const sb_config_table *table, const sb_config_node *node, void *out,
				stepbus_error *err);

#endif
