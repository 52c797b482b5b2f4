/* SPDX-License-Identifier: MIT */
/*
 * The bridge: each subscriber gets what a publisher publishes in that order, each once, and what it
 * did not get is counted: Q17.
 */
#include <stdlib.h>

#include "torture/history/judge.h"

typedef struct count {
	int64_t owner;
	int64_t last; /* sequence number */
	int64_t delivered;
	int64_t dropped; /* -1: nobody said */
} count;

typedef struct tallies {
	numbers publishers, subscribers, pairs;
	count *of_publishers, *of_subscribers, *of_pairs;
	int64_t published;
} tallies;

static count *find(numbers *n, count **rows, int64_t key)
{
	uint32_t known = (uint32_t)n->count;
	uint32_t at = numbers_claim(n, key, known + 1);

	if (at <= known)
		return &(*rows)[at - 1];
	if ((known & (known - 1)) == 0)
		*rows = realloc(*rows, (known == 0 ? 1 : 2 * (size_t)known) * sizeof **rows);
	if (*rows == NULL)
		abort();
	(*rows)[at - 1] = (count){ .owner = key, .dropped = -1 };
	return &(*rows)[at - 1];
}

static void note_published(tallies *t, verdict *v, const event *e)
{
	count *publisher = find(&t->publishers, &t->of_publishers, e->a);

	t->published++;
	if (e->b != publisher->last + 1)
		violate(v, RULE_Q17_BRIDGE_ADDS_UP, "publisher %ld published %ld behind %ld", e->a,
			e->b, publisher->last);
	publisher->last = e->b;
}

/* Publishers and subscribers are small numbers of the run's own. */
static int64_t pair_of(int64_t subscriber, int64_t publisher)
{
	return (int64_t)((uint64_t)subscriber << 32 ^ (uint64_t)publisher);
}

static void note_delivered(tallies *t, verdict *v, const event *e)
{
	count *pair = find(&t->pairs, &t->of_pairs, pair_of(e->a, e->b));

	v->looked[RULE_Q17_BRIDGE_ADDS_UP]++;
	find(&t->subscribers, &t->of_subscribers, e->a)->delivered++;
	if (e->c <= pair->last)
		violate(v, RULE_Q17_BRIDGE_ADDS_UP,
			"subscriber %ld got %ld of publisher %ld behind %ld", e->a, e->c, e->b,
			pair->last);
	if (e->c > pair->last)
		pair->last = e->c;
	pair->owner = e->b;
}

static void judge_sums(const tallies *t, verdict *v)
{
	for (size_t i = 0; i < t->pairs.count; i++) {
		uint32_t at = numbers_find(&t->publishers, t->of_pairs[i].owner);

		if (at == 0 || t->of_pairs[i].last > t->of_publishers[at - 1].last)
			violate(v, RULE_Q17_BRIDGE_ADDS_UP,
				"%ld of publisher %ld was delivered, and never published",
				t->of_pairs[i].last, t->of_pairs[i].owner);
	}
	for (size_t i = 0; i < t->subscribers.count; i++) {
		const count *s = &t->of_subscribers[i];

		if (s->dropped >= 0 && s->delivered + s->dropped != t->published)
			violate(v, RULE_Q17_BRIDGE_ADDS_UP,
				"subscriber %ld got %ld and dropped %ld of %ld", s->owner,
				s->delivered, s->dropped, t->published);
	}
}

void rules_of_bridge(const history *h, verdict *v)
{
	tallies t = { 0 };

	for (size_t i = 0; i < h->event_count; i++) {
		const event *e = &h->events[i];

		if (e->kind == LOG_PUBLISHED)
			note_published(&t, v, e);
		else if (e->kind == LOG_DELIVERED)
			note_delivered(&t, v, e);
		else if (e->kind == LOG_DROPPED)
			find(&t.subscribers, &t.of_subscribers, e->a)->dropped = e->b;
	}
	judge_sums(&t, v);
	numbers_free(&t.publishers);
	numbers_free(&t.subscribers);
	numbers_free(&t.pairs);
	free(t.of_publishers);
	free(t.of_subscribers);
	free(t.of_pairs);
}
