/* The place that tools/stamp.py fills in; volatile, so that the compiler does not believe the zeros. */
#include "build_id.h"

#include "config.h"

#if defined(__APPLE__)
#define PLACE
#else
#define PLACE __attribute__((section(".build_id"), used))
#endif

const volatile lan_build_id_t lan_build_id PLACE = {
    .magic = LAN_BUILD_ID_MAGIC,
    .version = 1u,
    .size = sizeof(lan_build_id_t),
    .text = LAN_VERSION,
};
