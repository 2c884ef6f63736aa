/* Who this image is, at a fixed place in flash (each port's linker script; symbol lan_build_id). */
#ifndef LAN_BUILD_ID_H
#define LAN_BUILD_ID_H

#include <stdint.h>

#define LAN_BUILD_ID_MAGIC 0x31444942u /* "BID1" */

/* Filled in after linking by tools/stamp.py. All little endian, no padding, 96 bytes. */
typedef struct {
    uint32_t magic;
    uint16_t version; /* of this layout: 1 */
    uint16_t size;    /* of this structure */
    uint8_t git[20];  /* git tree hash of the sources of this board's image */
    uint8_t image[32]; /* SHA-256 of the flash image with this field zero */
    char text[32];     /* version, zero-terminated */
    uint32_t reserved;
} lan_build_id_t;

_Static_assert(sizeof(lan_build_id_t) == 96u, "tools/stamp.py and the harness know this layout");

extern const volatile lan_build_id_t lan_build_id;

#endif
