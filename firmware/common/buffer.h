/* The byte buffer of the `db` commands, which doubles as recorded audio for `infer` and `lnn listen`. */
#ifndef LAN_BUFFER_H
#define LAN_BUFFER_H

#include "console.h"

typedef enum { LAN_BUFFER_EMPTY, LAN_BUFFER_PARTIAL, LAN_BUFFER_READY } lan_buffer_state;

void lan_buffer(const lan_args *args);

/* What the buffer holds. When READY, *samples and *count are its int16 content (a single last byte is dropped);
 * otherwise they are NULL and 0. */
lan_buffer_state lan_buffer_audio(const int16_t **samples, uint32_t *count);
/* Its LAN_DB_BYTES bytes for another use; to `db`, it is empty from now on. */
int16_t *lan_buffer_take(void);
uint32_t lan_buffer_loaded(void);   /* bytes so far */
uint32_t lan_buffer_expected(void); /* bytes announced by `db load` */

#endif
