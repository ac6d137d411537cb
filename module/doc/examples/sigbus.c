// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a mapping whose pages another process takes away, and gets an error
 * where the kernel raises SIGBUS.
 *
 * Usage: sigbus [SIGNALS]	default: 1000; ends when it has met so many
 *
 * A mapping can lose its pages at any time: the device, or a file, is made
 * shorter by someone else, a disk fails, the pool is full. To look at the size
 * first does not help, as it may change before the read. What does is to let the
 * signal come:
 *
 * - Here the handler jumps out of the read (siglongjmp), which then fails as
 *   read(2) would. The caller knows that it has no data. For that the code which
 *   is left must hold nothing, no lock and no half-made list: it is one memcpy.
 * - The other way is to map a page of zeros there and to go on. No code has to be
 *   prepared for it, but nobody learns that the zeros were no data; and others who
 *   use the mapping get zeros too, also after the device has grown again.
 *
 * It works behind the end that the device has: what is stored stays as it is.
 *
 * Exit status: 0; 1 when a copy had bytes that nobody wrote, or a call failed.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mmapdemo.h"

#define DEVICE	"/dev/mmapdemo"
#define BYTE	0x5a

/* What a guarded copy reads, and where to go if it cannot: one of each thread. */
struct guard {
	uintptr_t start, end;
	sigjmp_buf leave;
};

static __thread struct guard *guard;

/*
 * SIGBUS is raised by the access itself, in the thread that makes it: nothing of
 * the C library is interrupted but memcpy.
 */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;

	(void)context;
	if (guard && address >= guard->start && address < guard->end)
		siglongjmp(guard->leave, 1);
	/* A bug elsewhere: the access is made again, and now it kills. */
	signal(sig, SIG_DFL);
}

static void catch_sigbus(void)
{
	/*
	 * The handler is left by a jump. With SA_NODEFER the signal is not
	 * blocked in it, so that there is nothing to be restored: sigsetjmp()
	 * need not save the mask, which would take a system call for each copy.
	 */
	struct sigaction action = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	if (sigaction(SIGBUS, &action, NULL))
		err(1, "sigaction");
}

/* Like memcpy(), but returns -1 when a page of @from is not there. */
static int guarded_copy(void *to, const void *from, size_t len)
{
	struct guard here = { .start = (uintptr_t)from, .end = (uintptr_t)from + len };

	if (sigsetjmp(here.leave, 0)) {
		guard = NULL;
		return -1;
	}
	/* The compiler may not move the copy out from between these. */
	guard = &here;
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(to, from, len);
	atomic_signal_fence(memory_order_seq_cst);
	guard = NULL;
	return 0;
}

static void resize(int fd, __u64 size)
{
	struct mmapdemo_resize arg = { .size = size };

	if (ioctl(fd, MMAPDEMO_IOC_RESIZE, &arg))
		err(1, "MMAPDEMO_IOC_RESIZE");
}

static __u64 device_size(int fd)
{
	struct mmapdemo_info info;

	if (ioctl(fd, MMAPDEMO_IOC_INFO, &info))
		err(1, "MMAPDEMO_IOC_INFO");
	return info.size;
}

/* Ends with its parent; asking for that comes too late if it has ended already. */
static void end_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		err(1, "prctl");
	if (getppid() != parent)
		exit(1);
}

static void grow_and_shrink(int fd, __u64 size, const void *data, size_t len)
{
	struct timespec moment = { .tv_nsec = 200000 };

	for (;;) {
		resize(fd, size + len);
		if (pwrite(fd, data, len, size) != (ssize_t)len)
			err(1, "pwrite");
		nanosleep(&moment, NULL);
		resize(fd, size);
	}
}

/* A page that was not written yet reads as zeros. */
static int known(const unsigned char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != BYTE && data[i])
			return 0;
	return 1;
}

static void read_on(const void *mapping, size_t len, unsigned long signals, pid_t other)
{
	unsigned long whole = 0, failed = 0, wrong = 0;
	unsigned char *copy = malloc(len);

	if (!copy)
		err(1, "malloc");
	while (failed < signals || !whole) {
		if (guarded_copy(copy, mapping, len))
			failed++;
		else if (known(copy, len))
			whole++;
		else
			wrong++;
		if (waitpid(other, NULL, WNOHANG))
			errx(1, "the other process has ended");
	}
	printf("%lu copies, %lu met SIGBUS, %lu wrong\n", whole, failed, wrong);
	if (fflush(stdout))
		err(1, "stdout");
	if (wrong)
		exit(1);
	free(copy);
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end)
		errx(1, "usage: sigbus [SIGNALS]");
	return n;
}

int main(int argc, char **argv)
{
	unsigned long signals = argc > 1 ? number(argv[1]) : 1000;
	size_t len = 4 * sysconf(_SC_PAGESIZE);
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	void *data = malloc(len), *mapping;
	pid_t parent = getpid(), other;
	__u64 size;

	if (fd < 0 || !data)
		err(1, "%s", DEVICE);
	memset(data, BYTE, len);
	size = device_size(fd);
	/* Past the end, which mmap() does not mind. */
	mapping = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, size);
	if (mapping == MAP_FAILED)
		err(1, "mmap");
	catch_sigbus();
	other = fork();
	if (other < 0)
		err(1, "fork");
	if (!other) {
		end_with(parent);
		grow_and_shrink(fd, size, data, len);
	}
	read_on(mapping, len, signals, other);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	resize(fd, size);
	return 0;
}
