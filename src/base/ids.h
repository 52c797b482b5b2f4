/* SPDX-License-Identifier: MIT */
/* Ids: UUIDs of version 7 (RFC 9562). Pure; time and randomness come in as arguments. */
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

#endif
