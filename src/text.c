// SPDX-License-Identifier: GPL-2.0
/* Parsing of numbers and words that user space writes. A value is refused unless all of
 * it can be parsed.
 */
#include "text.h"

#include <linux/errno.h>
#include <linux/kstrtox.h>
#include <linux/string.h>

/* Callers refuse input with a NUL: the parsers stop there and would ignore the rest. */
bool hostroute_text_has_nul(const char *buf, size_t len)
{
	return strnlen(buf, len) != len;
}

/**
 * hostroute_text_next - take the next word off a line
 * @line:	the rest of the line; moved past the word, which is terminated by a NUL
 *
 * Return: the word, without blanks; NULL when none is left.
 */
char *hostroute_text_next(char **line)
{
	char *word;

	*line = skip_spaces(*line);
	if (!**line)
		return NULL;
	word = *line;
	*line += strcspn(word, " \t\n");
	if (**line)
		*(*line)++ = '\0';
	return word;
}

/**
 * hostroute_text_word - find a word in a list
 * @buf:	the word; may end in a newline
 * @words:	the list, ends with NULL
 * @value:	index of the word, set when the return value is 0
 *
 * Return: 0, or -EINVAL if the word is not in the list.
 */
int hostroute_text_word(const char *buf, const char * const *words, u32 *value)
{
	u32 i;

	for (i = 0; words[i]; i++) {
		if (sysfs_streq(buf, words[i])) {
			*value = i;
			return 0;
		}
	}
	return -EINVAL;
}

/**
 * hostroute_text_number - parse a number
 * @buf:	the number; may end in a newline
 * @min:	smallest that is allowed
 * @max:	largest that is allowed
 * @value:	the number, set when the return value is 0
 *
 * Decimal only: "010" is ten, and "0x10" is refused. An octal or hexadecimal number is
 * more likely a mistake than intended.
 *
 * Return: 0, -EINVAL if it is not a number, or -ERANGE.
 */
int hostroute_text_number(const char *buf, u32 min, u32 max, u32 *value)
{
	u32 number;
	int err;

	if (buf[0] < '0' || buf[0] > '9')
		return -EINVAL;
	err = kstrtou32(buf, 10, &number);
	if (err)
		return err;
	if (number < min || number > max)
		return -ERANGE;
	*value = number;
	return 0;
}
