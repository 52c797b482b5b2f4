/* SPDX-License-Identifier: MIT */
#include "sim/sim/trace.h"

#include <string.h>

void trace_clear(trace *t)
{
	t->count = 0;
	t->hash = 14695981039346656037ULL;
}

static void mix(trace *t, uint64_t number)
{
	t->hash = (t->hash ^ number) * 1099511628211ULL;
	t->hash ^= t->hash >> 29;
}

void trace_note(trace *t, const trace_entry *entry)
{
	t->entries[t->count++ % TRACE_LEN] = *entry;
	for (const char *c = entry->name; *c != '\0'; c++)
		mix(t, (unsigned char)*c);
	mix(t, (uint64_t)entry->process);
	mix(t, (uint64_t)entry->step);
	mix(t, (uint64_t)entry->elapsed_us);
	mix(t, (uint64_t)entry->a);
	mix(t, (uint64_t)entry->b);
	mix(t, (uint64_t)entry->c);
}

static void print(const trace_entry *e, FILE *out)
{
	fprintf(out, "  %6d %12lld us  process %d  %-16s step %d  %lld %lld %lld\n", e->action,
		(long long)e->elapsed_us, e->process, e->name, e->step, (long long)e->a,
		(long long)e->b, (long long)e->c);
}

void trace_print(const trace *t, int step, int count, FILE *out)
{
	uint64_t first = t->count > TRACE_LEN ? t->count - TRACE_LEN : 0;

	for (uint64_t at = first; at < t->count; at++) {
		const trace_entry *e = &t->entries[at % TRACE_LEN];

		if (e->step == step || (e->step < 0 && at + (uint64_t)count >= t->count))
			print(e, out);
	}
}
