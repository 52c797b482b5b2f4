/* SPDX-License-Identifier: MIT */
#include "base/words.h"

static sb_slice trim(sb_slice text)
{
	while (text.len > 0 && text.data[0] == ' ') {
		text.data++;
		text.len--;
	}
	while (text.len > 0 && text.data[text.len - 1] == ' ')
		text.len--;
	return text;
}

bool sb_words_next(sb_slice *words, sb_slice *word)
{
	const char *comma;
	size_t len;

	if (words->data == NULL)
		return false;
	comma = words->len > 0 ? memchr(words->data, ',', words->len) : NULL;
	len = comma != NULL ? (size_t)(comma - words->data) : words->len;
	*word = trim(sb_slice_of(words->data, len));
	/* Behind a comma there is always one more word, if only an empty one. */
	*words =
		comma != NULL ? sb_slice_of(comma + 1, words->len - len - 1) : sb_slice_of(NULL, 0);
	return true;
}

bool sb_words_has(sb_slice words, sb_slice wanted)
{
	sb_slice word;

	while (sb_words_next(&words, &word))
		if (sb_slice_is_equal(word, wanted))
			return true;
	return false;
}
