// SPDX-License-Identifier: GPL-2.0-only
/*
 * Defines the tracepoints, which trace.h only declares for all others.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
