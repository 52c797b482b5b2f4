/* SPDX-License-Identifier: MIT */
/*
 * JSON (RFC 8259) as a tree, strictly: UTF-8 without a byte order mark, no comments, no trailing
 * commas, no NUL in texts, no lone surrogates, no key twice in one object. Errors say where, what
 * was expected and what is there. Every byte may be hostile; nothing recurses.
 */
#ifndef SB_CONFIG_READ_JSON_H
#define SB_CONFIG_READ_JSON_H

#include "config/tree.h"

/*
 * host outlives the tree; text is copied. errors: STEPBUS_EINVAL, STEPBUS_ENOMEM; *out is only
 * written on success.
 */
stepbus_status sb_json_read_tree(const stepbus_host *host, sb_slice text, sb_config_tree **out,
				 stepbus_error *err);

#endif
