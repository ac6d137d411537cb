/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Single accesses to memory. The compiler makes each of them, where it stands:
 * what matters is the fault, and it knows of none.
 */
#ifndef MMAPDEMO_ACCESS_H
#define MMAPDEMO_ACCESS_H

#include <string.h>

static inline void barrier(void)
{
	asm volatile("" : : : "memory");
}

static inline char read_byte(const char *p)
{
	char byte;

	barrier();
	byte = *p;
	/* As if it were used: or it need not be read. */
	asm volatile("" : "+r"(byte) : : "memory");
	return byte;
}

static inline void write_byte(char *p, char value)
{
	barrier();
	*p = value;
	barrier();
}

/* Stores @text with its end, for which there must be room. */
static inline void write_text(char *p, const char *text)
{
	memcpy(p, text, strlen(text) + 1);
	barrier();
}

#endif /* MMAPDEMO_ACCESS_H */
