/* SPDX-License-Identifier: MIT */
/*
 * Reads what JavaScript passes to a function of the addon, whatever that is. Each reader answers false
 * where it is not what it should be, with an exception thrown that names the argument.
 */
#ifndef SBN_ARGUMENTS_H
#define SBN_ARGUMENTS_H

#include "bindings/node/src/api.h"

enum { SBN_ARGUMENT_COUNT_MAX = 6 };

/* The arguments of one call; those that were left out are undefined. */
typedef struct sbn_arguments {
	napi_env env;
	napi_value at[SBN_ARGUMENT_COUNT_MAX];
} sbn_arguments;

/* A text of its own, which ends in NUL. Freed with free(). */
typedef struct sbn_string {
	char *data;
	size_t len;
} sbn_string;

bool sbn_arguments_read(napi_env env, napi_callback_info info, sbn_arguments *out);

/* napi_undefined where it was left out. */
bool sbn_argument_type(const sbn_arguments *args, size_t at, napi_valuetype *out);
bool sbn_argument_uint32(const sbn_arguments *args, size_t at, const char *name, uint32_t *out);
bool sbn_argument_int64(const sbn_arguments *args, size_t at, const char *name, int64_t *out);
bool sbn_argument_bool(const sbn_arguments *args, size_t at, const char *name, bool *out);
bool sbn_argument_function(const sbn_arguments *args, size_t at, const char *name);

/* A Uint32Array and a Uint8Array; borrowed, valid during the call. */
bool sbn_argument_words(const sbn_arguments *args, size_t at, const char *name,
			const uint32_t **words, size_t *count);
bool sbn_argument_bytes(const sbn_arguments *args, size_t at, const char *name, const char **bytes,
			size_t *len);

/* undefined gives an empty one, without data. */
bool sbn_argument_string(const sbn_arguments *args, size_t at, const char *name, sbn_string *out);

#endif
