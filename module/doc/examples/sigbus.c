// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a mapping of a device that another process truncates, and gets an error
 * where the kernel raises SIGBUS.
 *
 * Usage: sigbus [SIGNALS]	default: 1000; ends after that many
 *
 * A mapping can lose its pages at any time: someone truncates the device or file,
 * a disk fails, the pool is full. Checking the size first does not help, as it may
 * change before the read. So let the signal come:
 *
 * - Here the handler jumps out of the read (siglongjmp), which then fails like
 *   read(2). The caller knows that it has no data. The code that is left this way
 *   must hold no lock and no half-made list: it is one memcpy.
 * - The alternative is to map a page of zeros there and to continue. That needs no
 *   preparation, but nobody learns that the zeros are not data; and others who use
 *   the mapping get zeros too, even after the device has grown again.
 *
 * It works past the current end of the device: stored data is not touched.
 *
 * Exit status: 0; 1 if a copy had bytes that nobody wrote, or a call failed.
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

/* What a guarded copy reads, and where to go if it cannot; per thread. */
struct guard {
	uintptr_t start, end;
	sigjmp_buf leave;
};

static __thread struct guard *guard;

/*
 * The access itself raises SIGBUS, in its own thread: of the C library, only
 * memcpy is interrupted.
 */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;

	(void)context;
	if (guard && address >= guard->start && address < guard->end)
		siglongjmp(guard->leave, 1);
	/* A bug elsewhere: the access is repeated, and now it kills. */
	signal(sig, SIG_DFL);
}

static void catch_sigbus(void)
{
	/*
	 * The handler is left by a jump. With SA_NODEFER it does not block the
	 * signal, so there is no mask to restore, and sigsetjmp() need not save
	 * it, which would cost a system call per copy.
	 */
	struct sigaction action = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	if (sigaction(SIGBUS, &action, NULL))
		err(1, "sigaction");
}

/* Like memcpy(), but returns -1 if a page of @from is missing. */
static int guarded_copy(void *to, const void *from, size_t len)
{
	struct guard here = { .start = (uintptr_t)from, .end = (uintptr_t)from + len };

	if (sigsetjmp(here.leave, 0)) {
		guard = NULL;
		return -1;
	}
	/* The fences keep the compiler from moving the copy. */
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

/* Or lseek(fd, 0, SEEK_END); but not fstat(), which returns 0 for a character device. */
static __u64 device_size(int fd)
{
	struct mmapdemo_info info;

	if (ioctl(fd, MMAPDEMO_IOC_INFO, &info))
		err(1, "MMAPDEMO_IOC_INFO");
	return info.size;
}

/* Dies with its parent; checks that the parent has not died already. */
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

/* A page that has not been written yet reads as zeros. */
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
	/* mmap() allows a mapping past the end. */
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
