#include "common/status_range.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Three digits. */
static bool take(const char *text, uint16_t *status)
{
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]) || !isdigit((unsigned char)text[2]))
        return false;
    *status = (uint16_t)((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
    return *status >= 100 && *status <= 599;
}

bool status_range_parse(const char *text, struct status_range *range, struct err *err)
{
    size_t size = strlen(text);
    bool one = size == 3 && take(text, &range->low);
    bool two = size == 7 && take(text, &range->low) && text[3] == '-' && take(text + 4, &range->high);

    if (one)
        range->high = range->low;
    if ((one || two) && range->low <= range->high)
        return true;
    return err_set(err, "\"%.32s\" is neither an HTTP status nor a range of them, such as 200-299", text);
}

bool status_range_has(const struct status_range *range, unsigned status)
{
    return status >= range->low && status <= range->high;
}

const char *status_range_format(const struct status_range *range, char text[STATUS_RANGE_TEXT])
{
    if (range->low == range->high)
        (void)snprintf(text, STATUS_RANGE_TEXT, "%.3u", range->low % 1000u);
    else
        (void)snprintf(text, STATUS_RANGE_TEXT, "%.3u-%.3u", range->low % 1000u, range->high % 1000u);
    return text;
}
