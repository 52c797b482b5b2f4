/* SPDX-License-Identifier: MIT */
/* JSON that the library answered with, taken apart for a test. */
#ifndef TESTS_SUPPORT_ANSWER_H
#define TESTS_SUPPORT_ANSWER_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "include/stepbus.h"

/* Parses the text and frees it; fails the test where it is no JSON. Freed with cJSON_Delete. */
cJSON *test_answer_take(stepbus_text *text);
/* The text, the number, the truth in a field of an object; fails the test where there is none. */
const char *test_answer_text(const cJSON *object, const char *name);
int64_t test_answer_int(const cJSON *object, const char *name);
bool test_answer_bool(const cJSON *object, const char *name);
bool test_answer_has(const cJSON *object, const char *name);
bool test_answer_is_null(const cJSON *object, const char *name);

#endif
