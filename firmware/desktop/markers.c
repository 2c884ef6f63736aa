/* The writing end of the ring of marker edges. */
#include "markers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAIRS 255u
#define NS 1000000000ull

static markers_ring *s_ring;

static uint64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/* Next free place, all but its time filled in; NULL if there is none: the edge is lost, and its number is missing. */
static markers_event *begin(markers_ring *ring, uint32_t line, uint32_t level) {
    const uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    const uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
    const uint32_t number = ++ring->number[line];
    ring->level[line] = level;
    if (written - taken >= ring->capacity) {
        return NULL;
    }
    markers_event *event = &ring->events[written & (ring->capacity - 1u)];
    event->line = (uint16_t)line;
    event->level = (uint16_t)level;
    event->number = number;
    return event;
}

static void publish(markers_ring *ring) {
    const uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    atomic_store_explicit(&ring->written, written + 1u, memory_order_release);
}

static void put(markers_ring *ring, uint32_t line, uint32_t level, uint64_t stamp_ns) {
    markers_event *event = begin(ring, line, level);
    if (event != NULL) {
        event->stamp_ns = stamp_ns;
        publish(ring);
    }
}

static void rise(markers_ring *ring, uint32_t line) {
    markers_event *event = begin(ring, line, 1u);
    if (event != NULL) {
        event->stamp_ns = now_ns(); /* publishing comes after it: a few nanoseconds, part of `cost_ns` */
        publish(ring);
    }
}

void markers_rise(uint32_t line) {
    if (s_ring != NULL) {
        rise(s_ring, line);
    }
}

void markers_fall(uint32_t line) {
    if (s_ring != NULL) {
        put(s_ring, line, 0u, now_ns());
    }
}

/* How far apart two edges are stamped with nothing between them: 95 % quantile of some pairs. */
static uint64_t cost_ns(void) {
    static union {
        markers_ring ring;
        unsigned char room[sizeof(markers_ring) + 2u * sizeof(markers_event)];
    } trial;
    uint64_t apart[PAIRS];
    trial.ring.capacity = 2u;
    for (uint32_t i = 0; i < PAIRS; i++) {
        rise(&trial.ring, MARKERS_INFERENCE);
        put(&trial.ring, MARKERS_INFERENCE, 0u, now_ns());
        atomic_store_explicit(&trial.ring.taken, 2u * (uint64_t)(i + 1u), memory_order_release);
        const uint64_t found = trial.ring.events[1].stamp_ns - trial.ring.events[0].stamp_ns;
        uint32_t at = i; /* kept sorted */
        for (; at > 0u && apart[at - 1u] > found; at--) {
            apart[at] = apart[at - 1u];
        }
        apart[at] = found;
    }
    return apart[PAIRS * 95u / 100u];
}

const char *markers_open(const char *path) {
    struct stat about;
    struct timespec step;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return strerror(errno);
    }
    if (fstat(fd, &about) != 0 || about.st_size < (off_t)sizeof(markers_ring)) {
        (void)close(fd);
        return "it is too short for a ring of markers";
    }
    void *mapped = mmap(NULL, (size_t)about.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (mapped == MAP_FAILED) {
        return strerror(errno);
    }
    markers_ring *ring = mapped;
    const size_t room = ((size_t)about.st_size - sizeof(markers_ring)) / sizeof(markers_event);
    if (memcmp(ring->magic, MARKERS_MAGIC, sizeof ring->magic) != 0 || ring->event_bytes != sizeof(markers_event) ||
        ring->capacity == 0u || (ring->capacity & (ring->capacity - 1u)) != 0u || ring->capacity > room) {
        return "it is not a ring of markers of this layout";
    }
    /* every page is there, and may be written, before a window could wait for it; a write changes nothing */
    for (size_t i = 0; i < ring->capacity; i += 64u) {
        volatile uint64_t *const stamp = &ring->events[i].stamp_ns;
        *stamp = *stamp;
    }
    ring->resolution_ns = clock_getres(CLOCK_MONOTONIC, &step) == 0 ? (uint64_t)step.tv_nsec : NS;
    ring->cost_ns = cost_ns();
    ring->pid = (uint32_t)getpid();
    for (uint32_t line = 0; line < MARKERS_LINES; line++) {
        if (ring->level[line] != 0u) {
            put(ring, line, 0u, now_ns());
        }
    }
    s_ring = ring;
    return NULL;
}
