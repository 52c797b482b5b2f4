/* SPDX-License-Identifier: MIT */
/*
 * Which functions of the interface are called while memory runs out, and what they may answer. A scenario
 * that includes this notes each call of the interface that it makes (the macros below; a name that is
 * missing here would not be counted, so it would be found as never called). What a function may answer
 * is read from the comments of include/stepbus.h.
 */
#ifndef TORTURE_FAMINE_CALLS_H
#define TORTURE_FAMINE_CALLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/stepbus.h"

enum { FAMINE_CALL_MAX = 256, FAMINE_NAME_LEN = 64 };

/* Shared by all processes of a run: in how many points in which memory ran out each
 * function was called. */
typedef struct famine_calls {
	size_t count;
	struct {
		char name[FAMINE_NAME_LEN];
		uint64_t documented; /* bits 1 << status */
		_Atomic(uint64_t) called_count;
		_Atomic(uint64_t) frugal_count; /* points that never asked for any */
	} functions[FAMINE_CALL_MAX];
} famine_calls;

/* Reads the header, below the working directory; false where that cannot be. Call it before any other. */
bool famine_calls_read(famine_calls *calls);
/* Notes it where memory is armed to run out. */
void famine_call(const char *name);
/* The end of a point: what was noted is counted if an allocation did fail in it, or none was asked for. */
void famine_calls_end(uint64_t asked_count, uint64_t failed_count);
/* The one that was called last by this thread of those that answer a status, and whether its comment speaks of a status. */
const char *famine_calls_last(void);
bool famine_calls_may_answer(const char *name, stepbus_status status);
/* Prints those that were never called; returns how many. frugal_count: those that nothing can fail in. */
size_t famine_calls_print_missing(const famine_calls *calls, size_t *frugal_count);

#ifdef FAMINE_NOTES_CALLS
/* clang-format off */
#define FAMINE_CALL(name) (famine_call(#name), name)
#define stepbus_abi_version FAMINE_CALL(stepbus_abi_version)
#define stepbus_bridge_declare FAMINE_CALL(stepbus_bridge_declare)
#define stepbus_bridge_default FAMINE_CALL(stepbus_bridge_default)
#define stepbus_bridge_default_reset FAMINE_CALL(stepbus_bridge_default_reset)
#define stepbus_bridge_event FAMINE_CALL(stepbus_bridge_event)
#define stepbus_bridge_event_name FAMINE_CALL(stepbus_bridge_event_name)
#define stepbus_bridge_flush FAMINE_CALL(stepbus_bridge_flush)
#define stepbus_bridge_free FAMINE_CALL(stepbus_bridge_free)
#define stepbus_bridge_is_active FAMINE_CALL(stepbus_bridge_is_active)
#define stepbus_bridge_listener_count FAMINE_CALL(stepbus_bridge_listener_count)
#define stepbus_bridge_listeners FAMINE_CALL(stepbus_bridge_listeners)
#define stepbus_bridge_new FAMINE_CALL(stepbus_bridge_new)
#define stepbus_bridge_publish FAMINE_CALL(stepbus_bridge_publish)
#define stepbus_bridge_publish_name FAMINE_CALL(stepbus_bridge_publish_name)
#define stepbus_bridge_start FAMINE_CALL(stepbus_bridge_start)
#define stepbus_bridge_stats FAMINE_CALL(stepbus_bridge_stats)
#define stepbus_bridge_stop FAMINE_CALL(stepbus_bridge_stop)
#define stepbus_bridge_subscribe FAMINE_CALL(stepbus_bridge_subscribe)
#define stepbus_bridge_unsubscribe FAMINE_CALL(stepbus_bridge_unsubscribe)
#define stepbus_build_info FAMINE_CALL(stepbus_build_info)
#define stepbus_catalog_explain FAMINE_CALL(stepbus_catalog_explain)
#define stepbus_catalog_list FAMINE_CALL(stepbus_catalog_list)
#define stepbus_catalog_search FAMINE_CALL(stepbus_catalog_search)
#define stepbus_checkpoint FAMINE_CALL(stepbus_checkpoint)
#define stepbus_clock_advance FAMINE_CALL(stepbus_clock_advance)
#define stepbus_clock_free FAMINE_CALL(stepbus_clock_free)
#define stepbus_clock_lend FAMINE_CALL(stepbus_clock_lend)
#define stepbus_clock_new FAMINE_CALL(stepbus_clock_new)
#define stepbus_close FAMINE_CALL(stepbus_close)
#define stepbus_complete FAMINE_CALL(stepbus_complete)
#define stepbus_context_check FAMINE_CALL(stepbus_context_check)
#define stepbus_context_dependency FAMINE_CALL(stepbus_context_dependency)
#define stepbus_context_is_retry FAMINE_CALL(stepbus_context_is_retry)
#define stepbus_context_step FAMINE_CALL(stepbus_context_step)
#define stepbus_cron_list FAMINE_CALL(stepbus_cron_list)
#define stepbus_cron_remove FAMINE_CALL(stepbus_cron_remove)
#define stepbus_cron_set FAMINE_CALL(stepbus_cron_set)
#define stepbus_engine_bridge FAMINE_CALL(stepbus_engine_bridge)
#define stepbus_engine_registry FAMINE_CALL(stepbus_engine_registry)
#define stepbus_engine_stats FAMINE_CALL(stepbus_engine_stats)
#define stepbus_engine_wake FAMINE_CALL(stepbus_engine_wake)
#define stepbus_execution_subscriber_free FAMINE_CALL(stepbus_execution_subscriber_free)
#define stepbus_execution_subscriber_is_active FAMINE_CALL(stepbus_execution_subscriber_is_active)
#define stepbus_execution_subscriber_new FAMINE_CALL(stepbus_execution_subscriber_new)
#define stepbus_execution_subscriber_start FAMINE_CALL(stepbus_execution_subscriber_start)
#define stepbus_execution_subscriber_stop FAMINE_CALL(stepbus_execution_subscriber_stop)
#define stepbus_handler_definition FAMINE_CALL(stepbus_handler_definition)
#define stepbus_handler_ref FAMINE_CALL(stepbus_handler_ref)
#define stepbus_handler_unref FAMINE_CALL(stepbus_handler_unref)
#define stepbus_heartbeat FAMINE_CALL(stepbus_heartbeat)
#define stepbus_id_format FAMINE_CALL(stepbus_id_format)
#define stepbus_id_new FAMINE_CALL(stepbus_id_new)
#define stepbus_id_parse FAMINE_CALL(stepbus_id_parse)
#define stepbus_open FAMINE_CALL(stepbus_open)
#define stepbus_outcome_completion FAMINE_CALL(stepbus_outcome_completion)
#define stepbus_outcome_free FAMINE_CALL(stepbus_outcome_free)
#define stepbus_payload_completion FAMINE_CALL(stepbus_payload_completion)
#define stepbus_payload_int FAMINE_CALL(stepbus_payload_int)
#define stepbus_payload_step_event FAMINE_CALL(stepbus_payload_step_event)
#define stepbus_payload_text FAMINE_CALL(stepbus_payload_text)
#define stepbus_poll FAMINE_CALL(stepbus_poll)
#define stepbus_queue_list FAMINE_CALL(stepbus_queue_list)
#define stepbus_queue_pause FAMINE_CALL(stepbus_queue_pause)
#define stepbus_queue_resume FAMINE_CALL(stepbus_queue_resume)
#define stepbus_queue_set FAMINE_CALL(stepbus_queue_set)
#define stepbus_registry_attach FAMINE_CALL(stepbus_registry_attach)
#define stepbus_registry_clear FAMINE_CALL(stepbus_registry_clear)
#define stepbus_registry_count FAMINE_CALL(stepbus_registry_count)
#define stepbus_registry_default FAMINE_CALL(stepbus_registry_default)
#define stepbus_registry_default_reset FAMINE_CALL(stepbus_registry_default_reset)
#define stepbus_registry_each FAMINE_CALL(stepbus_registry_each)
#define stepbus_registry_free FAMINE_CALL(stepbus_registry_free)
#define stepbus_registry_health FAMINE_CALL(stepbus_registry_health)
#define stepbus_registry_info FAMINE_CALL(stepbus_registry_info)
#define stepbus_registry_is_registered FAMINE_CALL(stepbus_registry_is_registered)
#define stepbus_registry_is_sealed FAMINE_CALL(stepbus_registry_is_sealed)
#define stepbus_registry_list FAMINE_CALL(stepbus_registry_list)
#define stepbus_registry_new FAMINE_CALL(stepbus_registry_new)
#define stepbus_registry_register FAMINE_CALL(stepbus_registry_register)
#define stepbus_registry_register_domain FAMINE_CALL(stepbus_registry_register_domain)
#define stepbus_registry_resolve FAMINE_CALL(stepbus_registry_resolve)
#define stepbus_registry_seal FAMINE_CALL(stepbus_registry_seal)
#define stepbus_registry_stats FAMINE_CALL(stepbus_registry_stats)
#define stepbus_registry_unregister FAMINE_CALL(stepbus_registry_unregister)
#define stepbus_release FAMINE_CALL(stepbus_release)
#define stepbus_result_checkpoint FAMINE_CALL(stepbus_result_checkpoint)
#define stepbus_result_failure FAMINE_CALL(stepbus_result_failure)
#define stepbus_result_set_content_type FAMINE_CALL(stepbus_result_set_content_type)
#define stepbus_result_set_metadata FAMINE_CALL(stepbus_result_set_metadata)
#define stepbus_result_snooze FAMINE_CALL(stepbus_result_snooze)
#define stepbus_result_success FAMINE_CALL(stepbus_result_success)
#define stepbus_status_name FAMINE_CALL(stepbus_status_name)
#define stepbus_step_attempts FAMINE_CALL(stepbus_step_attempts)
#define stepbus_step_await FAMINE_CALL(stepbus_step_await)
#define stepbus_step_cancel FAMINE_CALL(stepbus_step_cancel)
#define stepbus_step_count FAMINE_CALL(stepbus_step_count)
#define stepbus_step_enqueue FAMINE_CALL(stepbus_step_enqueue)
#define stepbus_step_enqueue_async FAMINE_CALL(stepbus_step_enqueue_async)
#define stepbus_step_enqueue_in FAMINE_CALL(stepbus_step_enqueue_in)
#define stepbus_step_info FAMINE_CALL(stepbus_step_info)
#define stepbus_step_is_cancelled FAMINE_CALL(stepbus_step_is_cancelled)
#define stepbus_step_list FAMINE_CALL(stepbus_step_list)
#define stepbus_step_redrive FAMINE_CALL(stepbus_step_redrive)
#define stepbus_step_redrive_all FAMINE_CALL(stepbus_step_redrive_all)
#define stepbus_stop FAMINE_CALL(stepbus_stop)
#define stepbus_subscriber_free FAMINE_CALL(stepbus_subscriber_free)
#define stepbus_subscriber_new FAMINE_CALL(stepbus_subscriber_new)
#define stepbus_subscriber_start FAMINE_CALL(stepbus_subscriber_start)
#define stepbus_subscriber_stop FAMINE_CALL(stepbus_subscriber_stop)
#define stepbus_text_data FAMINE_CALL(stepbus_text_data)
#define stepbus_text_free FAMINE_CALL(stepbus_text_free)
#define stepbus_text_len FAMINE_CALL(stepbus_text_len)
#define stepbus_version FAMINE_CALL(stepbus_version)
#define stepbus_wake_fd FAMINE_CALL(stepbus_wake_fd)
#define stepbus_worker_free FAMINE_CALL(stepbus_worker_free)
#define stepbus_worker_list FAMINE_CALL(stepbus_worker_list)
#define stepbus_worker_metrics FAMINE_CALL(stepbus_worker_metrics)
#define stepbus_worker_start FAMINE_CALL(stepbus_worker_start)
#define stepbus_worker_stop FAMINE_CALL(stepbus_worker_stop)
/* clang-format on */
#endif

#endif
