/* SPDX-License-Identifier: GPL-2.0 */
/* Parsing of numbers and words that user space writes. Pure: no state, no locks. */
#ifndef HOSTROUTE_TEXT_H
#define HOSTROUTE_TEXT_H

#include <linux/types.h>

bool hostroute_text_has_nul(const char *buf, size_t len);
char *hostroute_text_next(char **line);
int hostroute_text_word(const char *buf, const char * const *words, u32 *value);
int hostroute_text_number(const char *buf, u32 min, u32 max, u32 *value);

#endif
