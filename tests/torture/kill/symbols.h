/* SPDX-License-Identifier: MIT */
/* The functions of this program by their addresses, from its own symbol table; for reports. */
#ifndef TESTS_TORTURE_KILL_SYMBOLS_H
#define TESTS_TORTURE_KILL_SYMBOLS_H

#include <stddef.h>

typedef struct symbols symbols;

/* NULL where there are none: the program was stripped. */
symbols *symbols_read(void);
/* The name of the function that the byte at an offset of the program belongs to; NULL: of none. */
const char *symbols_find(const symbols *s, size_t offset);
void symbols_free(symbols *s);

#endif
