/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * After a race: the model takes over what threads have left in the device and in
 * the mappings, as far as that can be.
 */
#ifndef MMAPDEMO_FUZZ_ADOPT_H
#define MMAPDEMO_FUZZ_ADOPT_H

#include "fuzz_file.h"

/* Whether the slot shows the page as read(2) does; traps count as a difference. */
static inline bool shows(size_t i, const __u64 *words)
{
	bool same = false;

	trap_armed = 1;
	if (!sigsetjmp(trap_env, 0))
		same = !memcmp(slot_addr(i), words, page_size);
	trap_armed = 0;
	return same;
}

/* Takes over what the device holds, as far as it is of the right pages. */
static inline void adopt_device(void)
{
	__u64 *words = buffer_end[0] - words_per_page();
	struct mmapdemo_info now = info();
	size_t page, i;

	model.dev->size = now.size / page_size;
	model.dev->smallest = 0;
	for (page = 0; page < NR; page++) {
		bool inside = page < model.dev->size;

		drop_page(page);
		model.dev->may_be_dirty[page] = inside;
		if (!inside)
			continue;
		if (pread(model.fd[0], words, page_size, page * page_size) !=
		    (ssize_t)page_size)
			mismatch("pread of page %zu: %s", page, strerror(errno));
		for (i = 0; i < words_per_page(); i++) {
			check_tag(words[i], page, "pread");
			model.dev->stored[page] |= words[i] != 0;
		}
		memcpy(device_page(page), words, page_size);
	}
}

static inline void adopt_slot(size_t i)
{
	struct model_slot *slot = &model.slot[i];
	__u64 *words = buffer_end[0] - words_per_page();
	size_t n;

	if (slot->copied && slot->pgoff >= model.dev->size)
		mismatch("slot %zu has a copy of page %zu of %zu", i,
			 slot->pgoff, model.dev->size);
	if (slot->copied && !model.force && !(slot->prot & PROT_READ)) {
		munmap(slot_addr(i), page_size);
		memset(slot, 0, sizeof(*slot));
		return;
	}
	if (slot->copied) {
		if (pread(model.mem, words, page_size, (uintptr_t)slot_addr(i)) !=
		    (ssize_t)page_size)
			mismatch("/proc/self/mem: %s", strerror(errno));
		for (n = 0; n < words_per_page(); n++)
			check_tag(words[n], slot->pgoff, "a private copy");
		memcpy(copied_page(i), words, page_size);
		return;
	}
	if (!readable(slot) || slot->pgoff >= model.dev->size)
		load_slot(i, 0);
	else if (!shows(i, device_page(slot->pgoff)) && !at_cap())
		mismatch("slot %zu does not show page %zu as read(2) does", i,
			 slot->pgoff);
}

/* After a race, in which nobody could know what becomes of what. */
static inline void adopt(void)
{
	struct model_slot found[ARENA];
	size_t i;

	munmap(slot_addr(ARENA / 2), ARENA / 2 * page_size);
	memset(&model.slot[ARENA / 2], 0, ARENA / 2 * sizeof(*model.slot));
	read_mappings(found);
	adopt_device();
	for (i = 0; i < ARENA / 2; i++) {
		model.slot[i].prot = found[i].prot;
		if (!is_like(&model.slot[i], &found[i]))
			mismatch("slot %zu is mapped otherwise", i);
	}
	look_for_copies(0, ARENA / 2);
	for (i = 0; i < ARENA / 2; i++)
		adopt_slot(i);
}

#endif /* MMAPDEMO_FUZZ_ADOPT_H */
