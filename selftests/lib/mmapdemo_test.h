/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What nearly every selftest uses; the rest of lib/ is for some.
 *
 * Each test opens /dev/mmapdemo, finds it empty and leaves it empty, with all
 * settings as they were. They read the device's counters, so nothing else may
 * use it meanwhile. They need root (module parameters, debugfs) and are skipped
 * where something is missing.
 */
#ifndef MMAPDEMO_TEST_H
#define MMAPDEMO_TEST_H

#include "harness.h"
#include "access.h"
#include "counters.h"
#include "device.h"
#include "files.h"
#include "machine.h"
#include "pages.h"
#include "process.h"
#include "trap.h"

#endif /* MMAPDEMO_TEST_H */
