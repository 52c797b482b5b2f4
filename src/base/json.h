/* SPDX-License-Identifier: MIT */
/*
 * JSON documents of our own, and a look into small ones of others; the only file that sees cJSON.
 * Never used to carry a payload: those stay the bytes they are. cJSON takes its memory from malloc.
 *
 * A writer keeps going after running out of memory and says so at the end, in sb_json_print.
 */
#ifndef SB_BASE_JSON_H
#define SB_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

typedef struct cJSON sb_json;

/* A document or a part of one; NULL where memory ran out, which every call below accepts. */
sb_json *sb_json_object_new(void);
sb_json *sb_json_array_new(void);

/*
 * Add to an object under a name that is a literal, or to an array with name NULL. false: out of
 * memory, or parent is NULL. Text without a value becomes null; it must be UTF-8 and end in NUL, as
 * our own does. Text of others goes in by sb_json_add_foreign, which mends it and cuts it short.
 */
bool sb_json_add_text(sb_json *parent, const char *name, sb_slice value);
bool sb_json_add_foreign(sb_json *parent, const char *name, sb_slice value);
/* The same, however long it is. */
bool sb_json_add_whole(sb_json *parent, const char *name, sb_slice value, const stepbus_host *host);
/* Bytes of any kind: as text under name where they are UTF-8, else as base64 under base64_name. */
bool sb_json_add_bytes(sb_json *parent, const char *name, const char *base64_name, sb_slice value,
		       const stepbus_host *host);
bool sb_json_add_int(sb_json *parent, const char *name, int64_t value);
/* A number as text: readers that keep numbers as doubles do not lose a part of it. */
bool sb_json_add_decimal(sb_json *parent, const char *name, int64_t value);
/* part of whole, from 0 to 1, with four digits: 0.9987. whole is above 0. */
bool sb_json_add_fraction(sb_json *parent, const char *name, int64_t part, int64_t whole);
bool sb_json_add_bool(sb_json *parent, const char *name, bool value);
/* value is JSON already, checked before with sb_json_check. An empty one becomes null. */
bool sb_json_add_raw(sb_json *parent, const char *name, sb_slice value);
/* The same of anybody's bytes: null where they are no JSON. */
bool sb_json_add_checked(sb_json *parent, const char *name, sb_slice value,
			 const stepbus_host *host);
/* "2026-11-21T10:30:45.123456Z" */
bool sb_json_add_time(sb_json *parent, const char *name, int64_t time_us);
/* The same, but null for 0, which stands for no time. */
bool sb_json_add_moment(sb_json *parent, const char *name, int64_t time_us);
bool sb_json_add_null(sb_json *parent, const char *name);
/* An array of the comma-separated words. */
bool sb_json_add_words(sb_json *parent, const char *name, sb_slice words);
/* Takes part over, also on failure. */
bool sb_json_add_part_take(sb_json *parent, const char *name, sb_json *part);

/* NULL is accepted. */
void sb_json_free(sb_json *document);

/*
 * Frees the document and gives its text, or ENOMEM where is_complete is false or memory runs out
 * now.
 */
stepbus_status sb_json_print_take(sb_json *document, bool is_complete, const stepbus_host *host,
				  stepbus_text **out, stepbus_error *err);

enum { SB_JSON_LEN_MAX = 1024 * 1024 };

/*
 * Whether text is one JSON document (an object, where is_object) of at most SB_JSON_LEN_MAX bytes.
 */
stepbus_status sb_json_check(sb_slice text, bool is_object, const char *what, stepbus_error *err);

/* What a field at the top of an object holds; text is valid until the callback returns. */
typedef struct sb_json_field {
	enum { SB_JSON_MISSING, SB_JSON_OTHER, SB_JSON_TEXT, SB_JSON_INT } kind;
	sb_slice text;
	int64_t number;
} sb_json_field;

/*
 * Reads one field and hands it to use, with SB_JSON_MISSING where the bytes are no JSON object or
 * have no such field; returns what use returns. A number is SB_JSON_INT only where a double holds
 * it exactly.
 */
stepbus_status sb_json_field_read(sb_slice json, sb_slice name,
				  stepbus_status (*use)(void *context, const sb_json_field *field,
							stepbus_error *err),
				  void *context, stepbus_error *err);

const char *sb_json_library_version(void);

#endif
