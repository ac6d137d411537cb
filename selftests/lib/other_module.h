/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The modules of kunit/ that tests load beside the device's own. Each test loads
 * its own and, when its process is gone with all its mappings, unloads it: were
 * a reference left somewhere, that would fail.
 */
#ifndef MMAPDEMO_OTHER_MODULE_H
#define MMAPDEMO_OTHER_MODULE_H

#include <libgen.h>
#include <limits.h>
#include <sys/syscall.h>

#include "harness.h"

struct other_module {
	const char *name;
	const char *variable;	/* of the environment: its file */
	char ko[PATH_MAX];
};

/*
 * Finds its file: there, or where the build puts it beside the one in
 * MMAPDEMO_KO. Return: whether it is there.
 */
static inline bool other_module_find(struct other_module *module)
{
	const char *ko = getenv(module->variable);
	char path[PATH_MAX];

	if (ko) {
		snprintf(module->ko, sizeof(module->ko), "%s", ko);
	} else {
		ko = getenv("MMAPDEMO_KO");
		snprintf(path, sizeof(path), "%s", ko ? ko : "");
		snprintf(module->ko, sizeof(module->ko),
			 "%.4000s/../kunit/%s.ko", dirname(path), module->name);
	}
	return !access(module->ko, R_OK);
}

static inline int other_module_unload(const struct other_module *module)
{
	return syscall(SYS_delete_module, module->name, O_NONBLOCK);
}

static inline int other_module_load(const struct other_module *module)
{
	int fd = open(module->ko, O_RDONLY | O_CLOEXEC), ret;

	/* A test that was killed may have left it. */
	other_module_unload(module);
	ret = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return ret;
}

#endif /* MMAPDEMO_OTHER_MODULE_H */
