/* SPDX-License-Identifier: MIT */
/* Trees for tests: read from JSON, and written in short to be compared. */
#ifndef TESTS_SUPPORT_TREE_H
#define TESTS_SUPPORT_TREE_H

#include "config/tree.h"
#include "support/host.h"

/* Fails the test where json is none. */
sb_config_tree *test_tree(test_host *t, const char *json);
/*
 * "{a:1,b:[t,f,~,'x',2.5]}": what a tree holds, cut at len. Numbers by %g, texts as they are.
 */
void test_tree_write(const sb_config_tree *tree, char *text, size_t len);

#endif
