/* SPDX-License-Identifier: MIT */
/*
 * Start logs: small files that other processes leave, and that decide who is to blame for a step. The
 * bytes are such a file as it is (first byte 0 of 3), a head and records that nearly fit it (1), or what a
 * worker does to its own log, of which the file is then cut and overwritten (2). Whatever is in there, it
 * is a log, and what it says of a step is what stands in it, or it is none, and nobody knows; and reading
 * it asks for no more memory than it is long.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/feed.h"
#include "fuzz/host.h"
#include "handlers/start_log.h"

enum { SLOT_MAX = 8, RECORD_MAX = 32, OPERATION_MAX = 64, FILE_LEN_MAX = 1 << 14 };

static const int64_t magic = 0x73746570627573;

/* As the file has them, without a type of the library's. */
typedef struct words {
	int64_t step_id, token;
	uint64_t mark, reserved;
} words;

typedef struct world {
	stepbus_host host;
	sb_start_name name;
	char database[64];
	char path[128];
	size_t asked_len; /* the longest block */
	/* What a worker has done: of places from 1 on, 0 where they are free. */
	sb_start_log *log;
	uint32_t count;
	words model[SLOT_MAX + 1];
	bool is_taken[SLOT_MAX + 1];
} world;

static world w;

static void *allocate(void *user_data, void *block, size_t len)
{
	if (len > w.asked_len)
		w.asked_len = len;
	return fuzz_host()->allocate(user_data, block, len);
}

static void set_up(void)
{
	memset(&w, 0, sizeof w);
	w.host = *fuzz_host();
	w.host.allocate = allocate;
	(void)snprintf(w.database, sizeof w.database, "/dev/shm/fuzz_startlog_%d", (int)getpid());
	w.name = (sb_start_name){ w.database, 7, 4711 };
	(void)snprintf(w.path, sizeof w.path, "%s-started-7-4711", w.database);
	(void)unlink(w.path);
}

static void write_file(const void *bytes, size_t len)
{
	const int fd = open(w.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	fuzz_check(fd >= 0);
	fuzz_check(write(fd, bytes, len) == (ssize_t)len);
	(void)close(fd);
}

static size_t read_file(uint8_t bytes[FILE_LEN_MAX])
{
	const int fd = open(w.path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	fuzz_check(fd >= 0);
	len = read(fd, bytes, FILE_LEN_MAX);
	fuzz_check(len >= 0);
	(void)close(fd);
	return (size_t)len;
}

static words word_at(const uint8_t *bytes, size_t index)
{
	words found;

	memcpy(&found, bytes + index * sizeof found, sizeof found);
	return found;
}

/* Written from what the header says, not from the code. */
static bool is_log(const uint8_t *bytes, size_t len)
{
	const words head = len >= sizeof head ? word_at(bytes, 0) : (words){ 0 };

	return head.step_id == magic && head.token >= 0 && head.token <= 1 << 20 &&
	       len == ((size_t)head.token + 1) * sizeof head;
}

static sb_start_mark expected_of(const uint8_t *bytes, size_t len, int64_t step_id, int64_t token)
{
	if (!is_log(bytes, len))
		return SB_START_ENDED;
	for (size_t i = 1; i < len / sizeof(words); i++) {
		const words found = word_at(bytes, i);

		if (found.step_id == step_id && found.token == token)
			return found.mark <= SB_START_ENDED ? (sb_start_mark)found.mark :
							      SB_START_NONE;
	}
	return SB_START_NONE;
}

/* Reads what lies there, and asks for all that stands in it, and for what does not. */
static void compare(fuzz_feed *feed)
{
	static uint8_t bytes[FILE_LEN_MAX];
	const size_t len = read_file(bytes);
	stepbus_error err = STEPBUS_ERROR_INIT;
	sb_start_record *record = NULL;

	w.asked_len = 0;
	fuzz_check(sb_start_record_read(&w.host, &w.name, &record, &err) == STEPBUS_OK);
	fuzz_check((record != NULL) == is_log(bytes, len));
	fuzz_check(w.asked_len <= len + sizeof(words));
	for (size_t i = 0; (i + 1) * sizeof(words) <= len; i++) {
		const words at = word_at(bytes, i);

		fuzz_check(sb_start_record_find(record, at.step_id, at.token) ==
			   expected_of(bytes, len, at.step_id, at.token));
		fuzz_check(sb_start_record_find(record, at.token, at.step_id) ==
			   expected_of(bytes, len, at.token, at.step_id));
	}
	for (int i = 0; i < 4; i++) {
		const int64_t step_id = fuzz_feed_odd(feed), token = fuzz_feed_odd(feed);

		fuzz_check(sb_start_record_find(record, step_id, token) ==
			   expected_of(bytes, len, step_id, token));
	}
	sb_start_record_free(&w.host, record);
}

/* It may say that it has another number of records than it has, and end within one. */
static void put_records(fuzz_feed *feed)
{
	words records[RECORD_MAX + 1] = { 0 };
	const size_t count = fuzz_feed_below(feed, RECORD_MAX + 1);
	size_t len = (count + 1) * sizeof *records;

	/* A head is no record, even where it looks like one of a handler that runs. */
	records[0] = (words){ magic, (int64_t)count, fuzz_feed_below(feed, 4), 0 };
	switch (fuzz_feed_below(feed, 8)) {
	case 0:
		records[0].step_id ^= fuzz_feed_odd(feed);
		break;
	case 1:
		records[0].token = fuzz_feed_odd(feed);
		break;
	case 2:
		len -= fuzz_feed_below(feed, sizeof *records + 1);
		break;
	default:
		break;
	}
	for (size_t i = 1; i <= count; i++)
		records[i] =
			(words){ fuzz_feed_odd(feed), fuzz_feed_odd(feed),
				 (uint64_t)fuzz_feed_odd(feed), (uint64_t)fuzz_feed_byte(feed) };
	write_file(records, len);
}

static void take(fuzz_feed *feed)
{
	const int64_t step_id = 1 + fuzz_feed_below(feed, 200), token = fuzz_feed_odd(feed);
	const uint32_t place = sb_start_log_take(w.log, step_id, token);
	uint32_t taken_count = 0;

	for (uint32_t i = 1; i <= w.count; i++)
		taken_count += w.is_taken[i];
	fuzz_check((place == UINT32_MAX) == (taken_count == w.count));
	if (place == UINT32_MAX)
		return;
	/* The head's is nobody's. */
	fuzz_check(place >= 1 && place <= w.count && !w.is_taken[place]);
	w.is_taken[place] = true;
	w.model[place] = (words){ .step_id = step_id, .token = token };
}

static void operate(fuzz_feed *feed)
{
	const uint32_t operation = fuzz_feed_below(feed, 16);
	const uint32_t place = 1 + fuzz_feed_below(feed, w.count);

	if (operation < 6)
		take(feed);
	else if (operation < 11 && w.is_taken[place]) {
		w.model[place].mark = fuzz_feed_below(feed, SB_START_ENDED + 1);
		sb_start_log_mark(w.log, place, (sb_start_mark)w.model[place].mark);
	} else if (operation < 15 && w.is_taken[place]) {
		w.is_taken[place] = false;
		w.model[place].step_id = 0;
		sb_start_log_give(w.log, place);
	} else if (operation == 15) {
		fuzz_check(sb_start_log_renew(w.log, &w.name, NULL) == STEPBUS_OK);
		/* The file is new, the places are taken as before. */
		memset(w.model, 0, sizeof w.model);
	}
}

/* The file has what was done, place by place. */
static void check_places(void)
{
	static uint8_t bytes[FILE_LEN_MAX];
	const size_t len = read_file(bytes);

	fuzz_check(is_log(bytes, len) && len == (w.count + 1) * sizeof(words));
	for (uint32_t i = 1; i <= w.count; i++) {
		const words at = word_at(bytes, i);

		fuzz_check(at.step_id == w.model[i].step_id);
		if (w.is_taken[i])
			fuzz_check(at.token == w.model[i].token && at.mark == w.model[i].mark);
	}
}

static void damage(fuzz_feed *feed)
{
	const int fd = open(w.path, O_WRONLY | O_CLOEXEC);

	fuzz_check(fd >= 0);
	for (int i = fuzz_feed_byte(feed) % 4; i > 0; i--) {
		const off_t at = fuzz_feed_byte(feed) | fuzz_feed_byte(feed) % 2 << 8;
		const sb_slice patch = fuzz_feed_text(feed);

		fuzz_check(patch.len > 0 ? pwrite(fd, patch.data, patch.len % 64, at) >= 0 :
					   ftruncate(fd, at) == 0);
	}
	(void)close(fd);
}

static void live(fuzz_feed *feed)
{
	stepbus_error err = STEPBUS_ERROR_INIT;

	w.count = 1 + fuzz_feed_below(feed, SLOT_MAX);
	fuzz_check(sb_start_log_create(&w.host, &w.name, w.count, &w.log, &err) == STEPBUS_OK);
	for (int i = fuzz_feed_byte(feed) % OPERATION_MAX; i > 0; i--) {
		operate(feed);
		check_places();
	}
	compare(feed);
	sb_start_log_leave(w.log);
	check_places();
	damage(feed);
}

void fuzz_one(const uint8_t *bytes, size_t len)
{
	sb_start_record *record = NULL;
	fuzz_feed feed;
	sb_slice rest;

	fuzz_feed_begin(&feed, bytes, len);
	fuzz_host_reset();
	set_up();
	switch (fuzz_feed_below(&feed, 3)) {
	case 0:
		rest = fuzz_feed_rest(&feed);
		write_file(rest.data, rest.len);
		break;
	case 1:
		put_records(&feed);
		break;
	default:
		live(&feed);
		break;
	}
	compare(&feed);
	/* Who took over takes the file away, whatever it was. */
	(void)sb_start_record_read(&w.host, &w.name, &record, NULL);
	sb_start_record_end(&w.host, &w.name, record);
	fuzz_check(access(w.path, F_OK) != 0);
	fuzz_feed_end(&feed);
	fuzz_host_check_empty();
}
