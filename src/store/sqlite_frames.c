/* SPDX-License-Identifier: MIT */
#include "store/sqlite_frames.h"

#include <string.h>

#include "base/memory.h"
#include "store/sqlite_statement.h"

enum {
	HEADER_LEN = 32,
	HEADER_SUM_AT = 24, /* of all that is before it */
	HEADER_SALT_AT = 16,
	FRAME_HEADER_LEN = 24,
	FRAME_SALT_AT = 8, /* only what is before it is summed */
	FRAME_SUM_AT = 16,
	SALT_LEN = 8,
	INDEX_WORDS = 12,
	INDEX_PAGE_LEN = 32768,
	PIECE_LEN = 122880, /* one of SQLite's own files takes less than 128 KiB at once */
};

/* How the index of the log begins: numbers as this machine has them. */
typedef struct index_head {
	uint32_t version, unused, change_count;
	uint8_t is_there, is_big_endian;
	uint16_t page_len; /* 1: 65536 */
	uint32_t frame_count, page_count;
	uint32_t sum[2]; /* of the last frame */
	uint8_t salt[SALT_LEN];
	uint32_t sum_of_this[2];
} index_head;

_Static_assert(sizeof(index_head) == INDEX_WORDS * sizeof(uint32_t), "as the index has it");

typedef struct walk {
	sqlite3_file *log;
	index_head index;
	size_t frame_len;
	uint32_t sum[2]; /* of all frames so far: each goes on from the one before */
	uint8_t *piece;
	size_t piece_frames;
} walk;

/* Under the right to write, so that nobody changes it, and SQLite has found it to be whole. */
static int read_index(const sb_wal *wal, index_head *out)
{
	uint32_t words[INDEX_WORDS];
	volatile void *page = NULL;
	const volatile uint32_t *from;
	int code = wal->methods_real->xShmMap(wal->file, 0, INDEX_PAGE_LEN, 0, &page);

	if (code != SQLITE_OK)
		return code;
	if (page == NULL)
		return SQLITE_IOERR;
	from = page;
	for (size_t i = 0; i < INDEX_WORDS; i++)
		words[i] = from[i];
	memcpy(out, words, sizeof *out);
	return SQLITE_OK;
}

static uint32_t big_word(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static uint32_t little_word(const uint8_t *bytes)
{
	return (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[1] << 8 |
	       bytes[0];
}

static void add(walk *w, const uint8_t *bytes, size_t len)
{
	uint32_t a = w->sum[0], b = w->sum[1];

	if (w->index.is_big_endian != 0)
		for (size_t i = 0; i < len; i += 8) {
			a += big_word(bytes + i) + b;
			b += big_word(bytes + i + 4) + a;
		}
	else
		for (size_t i = 0; i < len; i += 8) {
			a += little_word(bytes + i) + b;
			b += little_word(bytes + i + 4) + a;
		}
	w->sum[0] = a;
	w->sum[1] = b;
}

static bool is_sum(const walk *w, const uint8_t *bytes)
{
	return big_word(bytes) == w->sum[0] && big_word(bytes + 4) == w->sum[1];
}

static bool is_header(walk *w)
{
	add(w, w->piece, HEADER_SUM_AT);
	return is_sum(w, w->piece + HEADER_SUM_AT) &&
	       memcmp(w->piece + HEADER_SALT_AT, w->index.salt, SALT_LEN) == 0;
}

static bool is_frame(walk *w, const uint8_t *frame)
{
	add(w, frame, FRAME_SALT_AT);
	add(w, frame + FRAME_HEADER_LEN, w->frame_len - FRAME_HEADER_LEN);
	return is_sum(w, frame + FRAME_SUM_AT) &&
	       memcmp(frame + FRAME_SALT_AT, w->index.salt, SALT_LEN) == 0;
}

/* SQLITE_CORRUPT, which no file itself answers: it is not what the index says. */
static int renew_frames(walk *w, size_t count, sqlite3_int64 at)
{
	int len = (int)(count * w->frame_len);
	int code = w->log->pMethods->xRead(w->log, w->piece, len, at);

	if (code != SQLITE_OK)
		return code == SQLITE_IOERR_SHORT_READ ? SQLITE_CORRUPT : code;
	for (size_t i = 0; i < count; i++)
		if (!is_frame(w, w->piece + i * w->frame_len))
			return SQLITE_CORRUPT;
	return w->log->pMethods->xWrite(w->log, w->piece, len, at);
}

static int renew_header(walk *w)
{
	int code = w->log->pMethods->xRead(w->log, w->piece, HEADER_LEN, 0);

	if (code != SQLITE_OK)
		return code == SQLITE_IOERR_SHORT_READ ? SQLITE_CORRUPT : code;
	return is_header(w) ? w->log->pMethods->xWrite(w->log, w->piece, HEADER_LEN, 0) :
			      SQLITE_CORRUPT;
}

static int renew_all(walk *w)
{
	int code = renew_header(w);
	sqlite3_int64 at = HEADER_LEN;
	size_t count;

	for (size_t left = w->index.frame_count; code == SQLITE_OK && left > 0; left -= count) {
		count = left < w->piece_frames ? left : w->piece_frames;
		code = renew_frames(w, count, at);
		at += (sqlite3_int64)(count * w->frame_len);
	}
	if (code == SQLITE_OK && memcmp(w->sum, w->index.sum, sizeof w->sum) != 0)
		code = SQLITE_CORRUPT;
	return code;
}

static stepbus_status fail(sb_sqlite_store *store, int code, stepbus_error *err)
{
	stepbus_status status = sb_sqlite_status_on(&store->writer, code);

	if (code == SQLITE_CORRUPT)
		return sb_fail(
			err, STEPBUS_ESTORE,
			"cannot open '%s': its log is not what was written to it, as behind "
			"a disk that failed; close it wherever it is open, then open it anew",
			store->path);
	if (status == STEPBUS_ENOMEM)
		return sb_fail_memory(err, "open a store");
	return sb_fail(err, status,
		       "cannot open '%s': its log cannot be written again: %s (SQLite's code %d)",
		       store->path, sqlite3_errstr(code), code);
}

stepbus_status sb_sqlite_frames_renew(sb_sqlite_store *store, stepbus_error *err)
{
	walk w = { 0 };
	int code = read_index(&store->wal, &w.index);

	if (code == SQLITE_OK && w.index.frame_count == 0)
		return STEPBUS_OK;
	if (code == SQLITE_OK)
		code = sqlite3_file_control(store->writer.db, "main", SQLITE_FCNTL_JOURNAL_POINTER,
					    (void *)&w.log);
	if (code == SQLITE_OK && (w.log == NULL || w.log->pMethods == NULL))
		code = SQLITE_IOERR;
	if (code != SQLITE_OK)
		return fail(store, code, err);
	w.frame_len = FRAME_HEADER_LEN + (w.index.page_len == 1 ? 65536 : w.index.page_len);
	w.piece_frames = PIECE_LEN / w.frame_len;
	w.piece = sb_alloc(store->base.host, w.piece_frames * w.frame_len);
	if (w.piece == NULL)
		return sb_fail_memory(err, "open a store");
	code = renew_all(&w);
	sb_release(store->base.host, w.piece);
	return code == SQLITE_OK ? STEPBUS_OK : fail(store, code, err);
}
