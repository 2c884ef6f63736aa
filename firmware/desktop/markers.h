/* Marker lines of a process: a ring of time-stamped edges in a file that the process and a reader map both.
 * The reader makes the file (pytest_lan_hil/instruments/markers.py knows this layout); one process at a time writes.
 * A ring that is full takes no more: such edges are counted by `number`, so that the reader finds the gap. */
#ifndef LAN_MARKERS_H
#define LAN_MARKERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define MARKERS_MAGIC "LANMARK1"
#define MARKERS_LINES 2u
enum { MARKERS_INFERENCE = 0, MARKERS_PHASE = 1 };

typedef struct {
    uint64_t stamp_ns; /* CLOCK_MONOTONIC */
    uint16_t line;
    uint16_t level;  /* after the edge */
    uint32_t number; /* of this edge on its line, from 1; lost ones count */
} markers_event;

/* Native byte order: both ends are on one machine. */
typedef struct {
    char magic[8];
    uint32_t capacity;       /* events, a power of two */
    uint32_t event_bytes;    /* sizeof(markers_event) */
    _Atomic uint64_t written; /* events ever put into the ring */
    _Atomic uint64_t taken;   /* of these, what the reader has copied: their places are free again */
    uint32_t number[MARKERS_LINES]; /* edges of each line, lost ones included */
    uint32_t level[MARKERS_LINES];
    uint64_t resolution_ns;  /* clock_getres */
    uint64_t cost_ns;        /* of one edge: 95 % of adjacent pairs are stamped no further apart */
    uint32_t pid;            /* the last process that wrote here */
    uint32_t reserved[15];
    markers_event events[];
} markers_ring;

_Static_assert(offsetof(markers_ring, events) == 128u && sizeof(markers_event) == 16u, "the reader knows this layout");

/* Use the ring in this file. Lines that an earlier process left high fall now, as pins do at a reset.
 * Returns NULL, or what is wrong with the file. */
const char *markers_open(const char *path);

/* The stamp is the last thing that happens before a window and the first after it. Without a ring they do nothing. */
void markers_rise(uint32_t line);
void markers_fall(uint32_t line);

#endif
