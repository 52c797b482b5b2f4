/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648, with padding), for bytes in a JSON document. Pure. */
#ifndef SB_BASE_BASE64_H
#define SB_BASE_BASE64_H

#include <stddef.h>

/* How many characters len bytes become; 0 where that is more than a size_t holds. */
size_t sb_base64_len(size_t len);
/* Writes sb_base64_len(len) characters, and no NUL. */
void sb_base64_write(const void *bytes, size_t len, char *text);

#endif
