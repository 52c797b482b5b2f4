/* SPDX-License-Identifier: MIT */
/*
 * Ids: UUIDs (RFC 9562), of version 7 where they are made of time and randomness, and of version 8
 * where they stand for a row of a store. Pure; time and randomness come in as arguments.
 */
#ifndef SB_BASE_IDS_H
#define SB_BASE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SB_ID_LEN = 16, SB_ID_TEXT_LEN = 36, SB_ID_RANDOM_LEN = 10 };

/* 48 bits of milliseconds since 1970, then 74 random bits around the version and the variant. */
void sb_id_make(uint8_t id[SB_ID_LEN], uint64_t time_ms, const uint8_t random[SB_ID_RANDOM_LEN]);
/* Writes 36 characters and a NUL. */
void sb_id_format(const uint8_t id[SB_ID_LEN], char text[SB_ID_TEXT_LEN + 1]);
/* Any version; id is written only where the text is an id. */
bool sb_id_parse(const char *text, size_t len, uint8_t id[SB_ID_LEN]);

/*
 * The id of a row: 48 bits of its number, then the store's tag, with the version and the variant
 * forced into it. So a row is found by its id without an index, and an id of another store is not
 * taken for one of this. row_id must be above 0 and fit into 48 bits.
 */
enum { SB_ID_TAG_LEN = 10 };
void sb_id_of_row(int64_t row_id, const uint8_t tag[SB_ID_TAG_LEN], uint8_t id[SB_ID_LEN]);
/* 0: it is no id of a store with this tag. */
int64_t sb_id_to_row(const uint8_t id[SB_ID_LEN], const uint8_t tag[SB_ID_TAG_LEN]);

#endif
