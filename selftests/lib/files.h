/* SPDX-License-Identifier: GPL-2.0-only */
/* Small files, above all those below /proc and /sys. */
#ifndef MMAPDEMO_FILES_H
#define MMAPDEMO_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The number in the line "@name number" of @file. */
static inline long read_figure(const char *file, const char *name)
{
	size_t len = strlen(name);
	FILE *f = fopen(file, "r");
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, name, len) && strchr(": \t", line[len])) {
			fclose(f);
			return atol(line + len + 1);
		}
	}
	fprintf(stderr, "%s: no line \"%s\"\n", file, name);
	abort();
}

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t len = strlen(text);
	int err = 0;

	if (fd < 0 || write(fd, text, len) != len)
		err = -errno;
	close(fd);
	return err;
}

static inline int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t len = read(fd, text, size - 1);

	close(fd);
	if (len < 0)
		return -errno;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

/*
 * A setting that is everybody's, while it is another one. All of it is in here: who
 * restores it may be the test's parent.
 */
struct setting {
	char path[128];		/* none: it is not */
	char old[256];
};

/* Return: whether it is changed now. */
static inline bool setting_change(struct setting *s, const char *path,
				  const char *value)
{
	bool changed = !read_file(path, s->old, sizeof(s->old)) &&
		       !write_file(path, value);

	snprintf(s->path, sizeof(s->path), "%s", changed ? path : "");
	return changed;
}

/* Return: whether it is as before. */
static inline bool setting_restore(struct setting *s)
{
	bool restored = !*s->path || !write_file(s->path, s->old);

	*s->path = '\0';
	return restored;
}

static inline long sysctl_read(const char *path)
{
	char text[32] = "-1";

	read_file(path, text, sizeof(text));
	return atol(text);
}

static inline int sysctl_write(const char *path, long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", value);
	return write_file(path, text);
}

#endif /* MMAPDEMO_FILES_H */
