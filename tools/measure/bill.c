/* The lists of a city whose month is closed: what `tools/bench bill` and `figures` import.
 *
 *     bench_bill readings FIRST COUNT HOURS    CSV: meters FIRST and on, by the hour to the end of March 2026, a third of the hours without use
 *
 * A tool of its own, since 7.44 thousand million lines take longer to write with awk than to import. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define END_S INT64_C(1775001600) /* 2026-04-01T00:00:00Z */
#define HOURS_MOST 9000u
#define LINE_MOST 64u
#define TIME_LEN 22u /* ",2026-03-01T00:00:00Z," */
#define START_L 1000u

static char text[1u << 20];
static size_t text_len;

static void flush(void)
{
    for (size_t at = 0; at < text_len;) {
        ssize_t done = write(STDOUT_FILENO, text + at, text_len - at);

        if (done < 0) {
            perror("bench_bill: write");
            exit(1);
        }
        at += (size_t)done;
    }
    text_len = 0;
}

static void put(const char *at, size_t len)
{
    memcpy(text + text_len, at, len);
    text_len += len;
}

static void put_number(unsigned long n)
{
    char digits[24];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    put(digits + at, sizeof digits - at);
}

static void readings_of(unsigned long meter, unsigned hours, char (*times)[TIME_LEN + 1])
{
    unsigned long used_l = 0;

    for (unsigned h = 0; h <= hours; h++) {
        if (sizeof text - text_len < LINE_MOST)
            flush();
        put_number(meter);
        put(times[h], TIME_LEN);
        put_number(START_L + used_l);
        put("\n", 1);
        used_l += h % 3 ? (meter + h * 7) % 40 : 0;
    }
}

static int readings(unsigned long first, unsigned long count, unsigned hours)
{
    static char times[HOURS_MOST + 1][TIME_LEN + 1];

    for (unsigned h = 0; h <= hours; h++) {
        time_t at_s = (time_t)(END_S - (int64_t)(hours - h) * 3600);
        struct tm t;

        strftime(times[h], sizeof times[h], ",%Y-%m-%dT%H:%M:%SZ,", gmtime_r(&at_s, &t));
    }
    put("serial,time,index_l\n", 20);
    for (unsigned long m = first; m < first + count; m++)
        readings_of(m, hours, times);
    flush();
    return 0;
}

int main(int argc, char **argv)
{
    unsigned long hours = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;

    if (argc != 5 || strcmp(argv[1], "readings") != 0 || !hours || hours > HOURS_MOST) {
        fprintf(stderr, "usage: bench_bill readings FIRST COUNT HOURS (at most %u)\n", HOURS_MOST);
        return 2;
    }
    return readings(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), (unsigned)hours);
}
