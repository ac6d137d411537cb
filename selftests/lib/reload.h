/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unloads the module and loads it again: with other parameters, and in the end
 * with those that it had.
 *
 * Needs mmapdemo.ko in the environment variable MMAPDEMO_KO, the right to load
 * it, and a device that nobody has open.
 */
#ifndef MMAPDEMO_RELOAD_H
#define MMAPDEMO_RELOAD_H

#include <sys/syscall.h>

#include "mmapdemo_test.h"

/* The parameters that the module had; a test that is killed leaves its own. */
static char old_parameters[256];

static void __attribute__((constructor)) require_module_file(void)
{
	static const char * const name[] = {
		"size", "pool_size", "fault_mode", "fault_around", "mmap_hook",
	};
	const char *ko = getenv("MMAPDEMO_KO");
	char path[128], value[64];
	size_t i, len = 0;

	if (!ko || access(ko, R_OK)) {
		ksft_print_header();
		ksft_exit_skip("needs mmapdemo.ko in MMAPDEMO_KO\n");
	}
	for (i = 0; i < ARRAY_SIZE(name); i++) {
		snprintf(path, sizeof(path), PARAMETERS "%s", name[i]);
		/* 0: it was not given. */
		if (!read_file(path, value, sizeof(value)) && strcmp(value, "0"))
			len += sprintf(old_parameters + len, "%s=%s ",
				       name[i], value);
	}
}

static inline int unload(void)
{
	return syscall(SYS_delete_module, "mmapdemo", O_NONBLOCK);
}

static inline int open_module_file(void)
{
	return open(getenv("MMAPDEMO_KO"), O_RDONLY | O_CLOEXEC);
}

static inline int load_from(int fd, const char *parameters)
{
	return syscall(SYS_finit_module, fd, parameters, 0);
}

static inline int load(const char *parameters)
{
	int fd = open_module_file();
	int ret = load_from(fd, parameters);
	int err = errno;

	close(fd);
	errno = err;
	return ret;
}

/* Return: what is left of a module that is not loaded; NULL: nothing. */
static inline const char *left_behind(void)
{
	static const char * const path[] = {
		DEVICE, "/sys/module/mmapdemo", "/sys/class/misc/mmapdemo",
		"/sys/kernel/debug/mmapdemo",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(path); i++)
		if (!access(path[i], F_OK))
			return path[i];
	return NULL;
}

#endif /* MMAPDEMO_RELOAD_H */
