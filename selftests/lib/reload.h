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

#include "device.h"
#include "files.h"
#include "harness.h"
#include "process.h"

/* The parameters that the module has when a test begins. */
static char old_parameters[1024];

/* Those that it has now, as insmod takes them; none: it is not loaded. */
static inline void read_parameters(char text[sizeof(old_parameters)])
{
	static const char * const name[] = {
		"devices", "size", "pool_size", "fault_mode", "fault_around", "mmap_hook",
		"dirty_log",
	};
	char path[128], value[256];
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(name); i++) {
		snprintf(path, sizeof(path), PARAMETERS "%s", name[i]);
		if (!read_file(path, value, sizeof(value)))
			len += snprintf(text + len, sizeof(old_parameters) - len,
					"%s=%s ", name[i], value);
	}
}

/* First in a fixture's setup, or in a TEST(). */
static inline void reload_setup(struct __test_metadata *_metadata)
{
	const char *ko = getenv("MMAPDEMO_KO"), *lacks = device_lacks();

	if (!ko || access(ko, R_OK))
		SKIP_TEST("needs mmapdemo.ko in MMAPDEMO_KO");
	if (lacks)
		SKIP_TEST("needs %s", lacks);
	process_setup();
	read_parameters(old_parameters);
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

/*
 * For the parent of a test, which is gone with all its files: the module as it
 * was, with @parameters, whatever the test has left.
 */
static inline void reload_teardown(struct __test_metadata *_metadata,
				   const char *parameters)
{
	char now[sizeof(old_parameters)];

	read_parameters(now);
	if (!strcmp(now, parameters))
		return;
	unload();
	EXPECT_EQ(0, load(parameters))
		TH_LOG("insmod mmapdemo %s: %s", parameters, strerror(errno));
}

/* Return: what is left of a module that is not loaded; NULL: nothing. */
static inline const char *left_behind(void)
{
	static const char * const path[] = {
		"/dev/mmapdemo", "/sys/module/mmapdemo", "/sys/class/misc/mmapdemo",
		"/sys/kernel/debug/mmapdemo",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(path); i++)
		if (!access(path[i], F_OK))
			return path[i];
	return NULL;
}

/*
 * Loads it with @parameters on top of those that it has, for a FIXTURE_SETUP. What
 * it had goes to @old.
 */
static inline void reload_with(struct __test_metadata *_metadata,
			       char old[sizeof(old_parameters)],
			       const char *parameters)
{
	char all[sizeof(old_parameters) + 256];

	reload_setup(_metadata);
	memcpy(old, old_parameters, sizeof(old_parameters));
	/* Of one that is there twice the last one counts. */
	snprintf(all, sizeof(all), "%s%s", old, parameters);
	ASSERT_EQ(0, unload())
		TH_LOG("rmmod mmapdemo: %s", strerror(errno));
	ASSERT_EQ(0, load(all))
		TH_LOG("insmod mmapdemo %s: %s", all, strerror(errno));
}

/* The same with a device of @nr pages and a pool of @cap. */
static inline void reload_sized(struct __test_metadata *_metadata,
				char old[sizeof(old_parameters)], size_t nr, size_t cap)
{
	char parameters[64];

	process_setup();
	snprintf(parameters, sizeof(parameters), "size=%zu pool_size=%zu",
		 nr * page_size, cap * page_size);
	reload_with(_metadata, old, parameters);
}

#endif /* MMAPDEMO_RELOAD_H */
