// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes the device: an input is a sequence of operations (struct op), over all
 * that a program can do with it, whose results are compared with a model.
 *
 * It is two programs. For scripts/run/fuzz.sh (-DFUZZER) libFuzzer makes the inputs,
 * guided by the kernel's KCOV. As a kselftest it runs the inputs of corpus/,
 * or those named as arguments, each with the size and the pool that the module
 * was loaded with; and MMAPDEMO_INPUTS random ones (30), of MMAPDEMO_SEED (by
 * default the time). An input that has found a mistake becomes a test by being
 * put there.
 *
 * Environment: MMAPDEMO_SHOW=1 prints each operation before it runs;
 * FUZZ_OUT names a directory for figures and the coverage, FUZZ_CURRENT what to
 * map to leave the input that runs in.
 * Needs: see mmapdemo_test.h.
 */
#ifdef FUZZER
#include "fuzz_engine.h"
#else
#include "fuzz_kselftest.h"
#endif
