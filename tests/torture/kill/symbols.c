/* SPDX-License-Identifier: MIT */
#include "torture/kill/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct symbols {
	const char *file;
	size_t len;
	const ElfW(Sym) * rows;
	size_t count;
	const char *names;
};

static const ElfW(Shdr) * find_table(const char *file)
{
	const ElfW(Ehdr) *head = (const void *)file;
	const ElfW(Shdr) *sections = (const void *)(file + head->e_shoff);

	for (size_t i = 0; i < head->e_shnum; i++)
		if (sections[i].sh_type == SHT_SYMTAB)
			return &sections[i];
	return NULL;
}

symbols *symbols_read(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat facts;
	symbols *s = calloc(1, sizeof *s);
	const ElfW(Shdr) * table, *sections;
	void *map = MAP_FAILED;

	if (s != NULL && fd >= 0 && fstat(fd, &facts) == 0) {
		s->len = (size_t)facts.st_size;
		map = mmap(NULL, s->len, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	if (fd >= 0)
		(void)close(fd);
	if (s == NULL || map == MAP_FAILED) {
		free(s);
		return NULL;
	}
	s->file = map;
	table = find_table(s->file);
	if (table == NULL) {
		symbols_free(s);
		return NULL;
	}
	sections = (const void *)(s->file + ((const ElfW(Ehdr) *)map)->e_shoff);
	s->rows = (const void *)(s->file + table->sh_offset);
	s->count = table->sh_size / sizeof *s->rows;
	s->names = s->file + sections[table->sh_link].sh_offset;
	return s;
}

const char *symbols_find(const symbols *s, size_t offset)
{
	for (size_t i = 0; s != NULL && i < s->count; i++) {
		const ElfW(Sym) *row = &s->rows[i];

		if ((row->st_info & 0xF) == STT_FUNC && row->st_value <= offset &&
		    offset < row->st_value + row->st_size)
			return s->names + row->st_name;
	}
	return NULL;
}

void symbols_free(symbols *s)
{
	if (s == NULL)
		return;
	(void)munmap((void *)(uintptr_t)s->file, s->len);
	free(s);
}
