/* SPDX-License-Identifier: MIT */
/*
 * Where in a document something stands, and errors that say so. Columns count characters, not
 * bytes, as editors do. Pure.
 */
#ifndef SB_CONFIG_PLACE_H
#define SB_CONFIG_PLACE_H

#include <stdint.h>

#include "base/text.h"

typedef struct sb_config_place {
	uint32_t offset; /* bytes from the start of the document */
	uint32_t line;   /* from 1 */
	uint32_t column; /* from 1 */
} sb_config_place;

/* The start of a document. */
sb_config_place sb_config_place_first(void);
/* Goes on to an offset that does not lie before the place; source is all of the document. */
void sb_config_place_move(sb_config_place *place, sb_slice source, size_t offset);

/* STEPBUS_EINVAL: "line 3, column 7: …" */
__attribute__((format(printf, 3, 4))) stepbus_status
sb_config_fail(stepbus_error *err, const sb_config_place *place, const char *format, ...);

#endif
