/* SPDX-License-Identifier: GPL-2.0-only */
/* Accesses that may raise a signal: by data, and by running what a test wrote. */
#ifndef MMAPDEMO_TRAP_H
#define MMAPDEMO_TRAP_H

#include <setjmp.h>

#include "access.h"
#include "harness.h"

/* The signal that an access got, as siginfo tells it; all 0: none. */
struct trap {
	int sig;
	int code;
	void *addr;
};

static __thread sigjmp_buf trap_env;
static __thread sig_atomic_t trap_armed;
static __thread struct trap trap_seen;
static __thread size_t trap_count;

static inline void trap_handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!trap_armed) {
		/* Not one that a test asked for: let it kill. */
		signal(sig, SIG_DFL);
		return;
	}
	trap_seen = (struct trap){ sig, info->si_code, info->si_addr };
	siglongjmp(trap_env, 1);
}

/* Once for all threads, as handlers are the process's. */
static inline void catch_signals(void)
{
	struct sigaction act = {
		.sa_sigaction = trap_handler, .sa_flags = SA_SIGINFO,
	};

	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
}

/*
 * Reads the first byte of @nr pages; or, with @value not negative, writes it
 * there, up to the first signal. Leaves in trap_count how many went well.
 */
static inline struct trap touch_pages(char *p, size_t nr, int value)
{
	trap_seen = (struct trap){ 0 };
	trap_count = 0;
	trap_armed = 1;
	if (!sigsetjmp(trap_env, 1)) {
		for (; trap_count < nr; trap_count++) {
			if (value < 0)
				read_byte(p + trap_count * page_size);
			else
				write_byte(p + trap_count * page_size, value);
		}
	}
	trap_armed = 0;
	return trap_seen;
}

static inline struct trap touch(char *p, int value)
{
	return touch_pages(p, 1, value);
}

/* Whether a store to @p gets through; @value is what it stores. */
static inline bool can_write(char *p, int value)
{
	return !touch(p, value).sig;
}

#define EXPECT_TRAP(p, value, signal, si, where) do {		\
	struct trap trap_ = touch(p, value);			\
								\
	EXPECT_EQ(signal, trap_.sig);				\
	EXPECT_EQ(si, trap_.code);				\
	EXPECT_EQ((void *)(where), trap_.addr);			\
} while (0)

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

#endif /* MMAPDEMO_TRAP_H */
