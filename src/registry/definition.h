/* SPDX-License-Identifier: MIT */
/*
 * What a host says of a handler: checked at registration, so that nothing of it can fail at run
 * time. Pure.
 */
#ifndef SB_REGISTRY_DEFINITION_H
#define SB_REGISTRY_DEFINITION_H

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

/*
 * Reads a key and fills in the namespace; what it names need not be allowed, but is not too long to
 * look up.
 */
stepbus_status sb_definition_read_key(const stepbus_handler_key *key, sb_handler_name *out,
				      stepbus_error *err);
/* A name of a namespace, handler, domain, capability, queue or caller. what names the field. */
stepbus_status sb_definition_check_name(sb_slice name, const char *what, stepbus_error *err);

#endif
