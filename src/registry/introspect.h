/* SPDX-License-Identifier: MIT */
/* What a registry tells of itself, as JSON and by iteration, always about one moment. */
#ifndef SB_REGISTRY_INTROSPECT_H
#define SB_REGISTRY_INTROSPECT_H

#include "registry/registry.h"

/* All of an empty filter; every field that is given must match. */
typedef struct sb_handler_wish {
	sb_slice handler_namespace;
	sb_slice domain;
	sb_slice capability;
} sb_handler_wish;

stepbus_status sb_introspect_list(stepbus_registry *registry, const sb_handler_wish *wish,
				  stepbus_text **out, stepbus_error *err);
stepbus_status sb_introspect_info(stepbus_registry *registry, const stepbus_handler *handler,
				  stepbus_text **out, stepbus_error *err);
stepbus_status sb_introspect_each(stepbus_registry *registry, stepbus_handler_each_fn visit,
				  void *user_data, stepbus_error *err);
stepbus_status sb_introspect_stats(stepbus_registry *registry, stepbus_text **out,
				   stepbus_error *err);
/* Calls the health functions of the host, with nothing locked. */
stepbus_status sb_introspect_health(stepbus_registry *registry, stepbus_text **out,
				    stepbus_error *err);

#endif
