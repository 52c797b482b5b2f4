/* SPDX-License-Identifier: MIT */
#include "store/sqlite_checkpoints.h"
#include "store/sqlite_cron.h"
#include "store/sqlite_names.h"
#include "store/sqlite_open.h"
#include "store/sqlite_reader.h"
#include "store/sqlite_scans.h"
#include "store/sqlite_steps.h"
#include "store/sqlite_tally.h"
#include "store/sqlite_transaction.h"
#include "store/sqlite_workers.h"

const sb_store_type sb_sqlite_store_type = {
	.name = "sqlite",
	.close = sb_sqlite_open_close,
	.begin = sb_sqlite_transaction_begin,
	.commit = sb_sqlite_transaction_commit,
	.rollback = sb_sqlite_transaction_rollback,
	.has_changed = sb_sqlite_transaction_has_changed,
	.confirm = sb_sqlite_transaction_confirm,
	.queue_intern = sb_sqlite_names_queue_intern,
	.handler_intern = sb_sqlite_names_handler_intern,
	.queue_read = sb_sqlite_names_queue_read,
	.handler_read = sb_sqlite_names_handler_read,
	.handler_record = sb_sqlite_names_handler_record,
	.handler_is_recorded = sb_sqlite_names_handler_is_recorded,
	.step_insert = sb_sqlite_steps_insert,
	.step_row_read = sb_sqlite_steps_row_read,
	.step_status_read = sb_sqlite_steps_status_read,
	.step_move = sb_sqlite_steps_move,
	.step_scan = sb_sqlite_scans_step_scan,
	.step_delete = sb_sqlite_steps_delete,
	.lane_next = sb_sqlite_scans_lane_next,
	.park_next = sb_sqlite_scans_park_next,
	.due_next = sb_sqlite_scans_due_next,
	.running_count = sb_sqlite_scans_running_count,
	.attempt_put = sb_sqlite_steps_attempt_put,
	.result_put = sb_sqlite_steps_result_put,
	.checkpoint_put = sb_sqlite_checkpoints_put,
	.checkpoint_read = sb_sqlite_checkpoints_read,
	.checkpoint_delete = sb_sqlite_checkpoints_delete,
	.unique_find = sb_sqlite_steps_unique_find,
	.unique_put = sb_sqlite_steps_unique_put,
	.queue_write = sb_sqlite_names_queue_write,
	.queue_list = sb_sqlite_names_queue_list,
	.worker_insert = sb_sqlite_workers_insert,
	.worker_update = sb_sqlite_workers_update,
	.worker_delete = sb_sqlite_workers_delete,
	.worker_list = sb_sqlite_workers_list,
	.served_put = sb_sqlite_workers_served_put,
	.served_list = sb_sqlite_workers_served_list,
	.cron_put = sb_sqlite_cron_put,
	.cron_delete = sb_sqlite_cron_delete,
	.cron_list = sb_sqlite_cron_list,
	.step_view = sb_sqlite_reader_step_view,
	.step_list = sb_sqlite_reader_step_list,
	.step_count = sb_sqlite_reader_step_count,
	.attempt_list = sb_sqlite_reader_attempt_list,
	.tally = sb_sqlite_tally_read,
	.queue_find = sb_sqlite_names_queue_find,
	.stats = sb_sqlite_transaction_stats,
};
