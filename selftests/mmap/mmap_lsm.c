// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a Linux security module can refuse a mapping of the device: with
 * its own errno, before all else but the file, and without a call of the
 * driver. Runs in both fault modes.
 *
 * The id (A05) names the branch of mmap that it proves.
 * Needs: see mmapdemo_test.h; CONFIG_BPF_LSM, with bpf among the active LSMs.
 */
#include "mmapdemo_test.h"
#include "lsm.h"
#include "syscalls.h"

DEVICE_FIXTURE(mmap_lsm)

/*
 * In 7.3 a permission check of fsnotify follows (vm_mmap_pgoff()). It asks for
 * what regular files on ext4, XFS and btrfs alone have (SB_I_ALLOW_HSM).
 */
TEST_F(mmap_lsm, A05_refuses)
{
	static const int error[] = { EACCES, EPERM, ENXIO };
	char *p = map_shared(_metadata, self->fd, 0, 1);
	long mmaps = stat_read("mmap");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(error); i++) {
		int link = lsm_refuse_mmap(error[i]), anon, device, no_len, bad;

		if (link < 0)
			SKIP(return, "needs CONFIG_BPF_LSM");
		anon = mmap_errno(-1, 1, PROT_READ,
				  MAP_PRIVATE | MAP_ANONYMOUS, 0);
		device = mmap_errno(self->fd, 1, PROT_READ, MAP_SHARED, 0);
		no_len = mmap_errno(self->fd, 0, PROT_READ, MAP_SHARED, 0);
		bad = mmap_errno(-1, 1, PROT_READ, MAP_SHARED, 0);
		close(link);
		/* It is asked about any mapping, if at all. */
		if (!anon)
			SKIP(return, "needs bpf among the active LSMs");
		EXPECT_EQ(error[i], device);
		EXPECT_EQ(error[i], no_len);
		EXPECT_EQ(EBADF, bad);
		EXPECT_EQ(mmaps, stat_read("mmap"));
	}
	/* What was mapped before is nothing to it. */
	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_EQ(0, mmap_errno(self->fd, 1, PROT_READ, MAP_SHARED, 0));
	EXPECT_EQ(mmaps + 1, stat_read("mmap"));
}

TEST_HARNESS_MAIN
