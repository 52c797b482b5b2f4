/* SPDX-License-Identifier: MIT */
/*
 * The system's files for SQLite, but that writing, syncing, reading or locking them fails when told
 * to: a full disk, a broken one, or one without memory. Installed, it is what SQLite opens files
 * with, on any thread.
 */
#ifndef TESTS_SUPPORT_FAULTY_VFS_H
#define TESTS_SUPPORT_FAULTY_VFS_H

#include <stdbool.h>

typedef enum test_fault_kind {
	TEST_FAULT_WRITE = 1, /* of the database or its log */
	TEST_FAULT_SYNC = 2,
	TEST_FAULT_ANY = 3,
	TEST_FAULT_READ = 4, /* also of sizes */
	TEST_FAULT_LOCK = 8,
	TEST_FAULT_SHM = 16, /* mapping and locking the index of the log */
} test_fault_kind;

void test_faults_install(void);
void test_faults_uninstall(void);
/* The nth operation of that kind from now on answers code (once; where is_lasting, all after it). */
void test_faults_plan(test_fault_kind kind, int nth, int code, bool is_lasting);
void test_faults_clear(void);
/* How often something failed since the plan was made. */
int test_faults_count(void);

#endif
