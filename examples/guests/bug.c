/*
 * A weather service, with a bug.
 *
 * Each station keeps the readings of its last week in a ring: once the ring is full, a new reading
 * takes the place of the oldest. The stations form a list, in the order in which they were opened.
 * Readings of a month come in, and then the report goes through the list and prints the mean of
 * each station's last week.
 *
 * The report should have four lines. It ends in a fault instead - in code that is correct.
 * `make demo` shows how the debugger finds the instruction that did it.
 */

#include <stdio.h>
#include <stdlib.h>

enum { WEEK = 7, MONTH = 30 };

struct station {
    const char *name;
    int next_place;             /* where the next reading goes */
    int tenths[WEEK];           /* readings, in tenths of a degree */
    struct station *next;
};

static struct station *first_station;
static struct station **link = &first_station;

static struct station *open_station(const char *name)
{
    struct station *station = calloc(1, sizeof *station);
    if (station == NULL)
        exit(EXIT_FAILURE);
    station->name = name;
    *link = station;
    link = &station->next;
    return station;
}

static void record(struct station *station, int tenths)
{
    station->tenths[station->next_place] = tenths;
    station->next_place++;
    if (station->next_place > WEEK)
        station->next_place = 0;
}

/* The weather: a reading between 5.0 and 24.9 degrees. */
static int measure(void)
{
    static unsigned state = 2026;
    state = state * 1103515245 + 12345;
    return 50 + (int)(state >> 16) % 200;
}

static int mean(const struct station *station)
{
    int sum = 0;
    for (int day = 0; day < WEEK; day++)
        sum += station->tenths[day];
    return sum / WEEK;
}

static void report(void)
{
    for (const struct station *station = first_station; station != NULL; station = station->next) {
        int tenths = mean(station);
        printf("%-10s %2d.%d\n", station->name, tenths / 10, tenths % 10);
    }
}

int main(void)
{
    struct station *coast = open_station("coast");
    struct station *harbour = open_station("harbour");
    struct station *hill = open_station("hill");
    struct station *valley = open_station("valley");

    for (int day = 1; day <= MONTH; day++) {
        record(coast, measure());
        /* The harbour's instrument is read on weekdays only. */
        if (day % 7 != 6 && day % 7 != 0)
            record(harbour, measure());
        if (day % 5 == 0)
            record(hill, measure());
        record(valley, measure());
    }
    report();
    return 0;
}
