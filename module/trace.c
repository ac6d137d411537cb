// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one file in which trace.h is more than declarations.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
