/* SPDX-License-Identifier: MIT */
/*
 * What a host says of a handler: checked at registration, so that nothing of it can fail at run
 * time. Pure.
 */
#ifndef SB_REGISTRY_DEFINITION_H
#define SB_REGISTRY_DEFINITION_H

#include "base/error.h"
#include "base/text.h"

enum { SB_NAME_LEN_MAX = 128, SB_VERSION_LEN_MAX = 64 };

/* Namespace, name and version as one key: joined by NUL, which none of them holds. */
typedef struct sb_handler_name {
	sb_slice handler_namespace;
	sb_slice name;
	sb_slice version;
} sb_handler_name;

#define SB_NAMESPACE_DEFAULT "default"
#define SB_VERSION_DEFAULT "0.1.0"

stepbus_status sb_definition_check(const stepbus_handler_spec *spec, stepbus_error *err);
/* Fills in what was not said. */
void sb_definition_fill(stepbus_handler_spec *spec);

/* Says what is wrong with a key that could not be read. */
stepbus_status sb_definition_fail_key(const stepbus_handler_key *key, stepbus_error *err);

/*
 * Reads a key and fills in the namespace. Looking up is a hot path: what it names need not be
 * allowed (then it is simply not found), but it is not too long.
 */
static inline stepbus_status sb_definition_read_key(const stepbus_handler_key *key,
						    sb_handler_name *out, stepbus_error *err)
{
	out->name = sb_slice_of(key->name, key->name_len);
	out->handler_namespace = sb_slice_of(key->handler_namespace, key->handler_namespace_len);
	out->version = sb_slice_of(key->version, key->version_len);
	if (key->handler_namespace_len == 0)
		out->handler_namespace =
			sb_slice_of(SB_NAMESPACE_DEFAULT, sizeof SB_NAMESPACE_DEFAULT - 1);
	if (sb_likely(key->name != NULL && key->name_len - 1 < SB_NAME_LEN_MAX &&
		      out->handler_namespace.data != NULL &&
		      out->handler_namespace.len <= SB_NAME_LEN_MAX &&
		      (key->version != NULL || key->version_len == 0) &&
		      key->version_len <= SB_VERSION_LEN_MAX))
		return STEPBUS_OK;
	return sb_definition_fail_key(key, err);
}

/* A name of a namespace, handler, domain, capability, queue or caller. what names the field. */
stepbus_status sb_definition_check_name(sb_slice name, const char *what, stepbus_error *err);

#endif
