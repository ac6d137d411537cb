/* SPDX-License-Identifier: GPL-2.0-only */
/* Code that a test writes itself, and runs. */
#ifndef MMAPDEMO_CODE_H
#define MMAPDEMO_CODE_H

#include "mmapdemo_test.h"

/* What returns to its caller; empty: nobody has said how this machine does. */
#ifdef __aarch64__
#define CODE		"\xc0\x03\x5f\xd6"
#elif defined(__x86_64__) || defined(__i386__)
#define CODE		"\xc3"
#else
#define CODE		""
#endif

#define CODE_LEN	((ssize_t)sizeof(CODE) - 1)

/* Calls what is at @p, as touch() reads it. */
static inline struct trap execute(char *p)
{
	trap_seen = (struct trap){ 0 };
	trap_armed = 1;
	if (!sigsetjmp(trap_env, 1))
		((void (*)(void))(uintptr_t)p)();
	trap_armed = 0;
	return trap_seen;
}

#define EXPECT_EXEC_TRAP(p, signal, si, where) do {		\
	struct trap trap_ = execute(p);				\
								\
	EXPECT_EQ(signal, trap_.sig);				\
	EXPECT_EQ(si, trap_.code);				\
	EXPECT_EQ((void *)(where), trap_.addr);			\
} while (0)

/*
 * Whether the machine knows a fetch of an instruction from a read, and what may
 * be read from what may be executed: i386 without PAE does not.
 */
static inline bool can_forbid_execution(void)
{
	char *p = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can;

	if (p == MAP_FAILED)
		abort();
	memcpy(p, CODE, CODE_LEN);
	can = CODE_LEN && execute(p).sig == SIGSEGV;
	munmap(p, page_size);
	return can;
}

#define NEEDS_NX	"needs a CPU that can forbid execution, and a kernel that uses it"

#endif /* MMAPDEMO_CODE_H */
