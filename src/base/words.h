/* SPDX-License-Identifier: MIT */
/* Comma-separated words, as capabilities and permissions are written: "process, http". Pure. */
#ifndef SB_BASE_WORDS_H
#define SB_BASE_WORDS_H

#include "base/text.h"

/* Takes the next word off the front of words, without the spaces around it; false at the end. */
bool sb_words_next(sb_slice *words, sb_slice *word);
bool sb_words_has(sb_slice words, sb_slice wanted);

#endif
