/*
 * pin.c
 *		What is known of a topic beyond the life of one producer.
 */
#include "pin.h"

#include <string.h>

#include "mem.h"

/* producers come and go, these stay */
static struct pin *pins = NULL;
static bool worked = false;
static unsigned denied = 0;

struct pin *
pin_find(const char *name)
{
	struct pin *pin;

	for (pin = pins; pin != NULL; pin = pin->next)
		if (strcmp(pin->name, name) == 0)
			return pin;
	pin = mem_zalloc(sizeof(*pin));
	pin->name = mem_strdup(name);
	pin->next = pins;
	return pins = pin;
}

void
pin_set_count(struct pin *pin, int32_t count)
{
	pin->offsets = mem_realloc(pin->offsets,
							   (size_t) count * sizeof(*pin->offsets));
	pin->ends = mem_realloc(pin->ends, (size_t) count * sizeof(*pin->ends));
	for (int32_t i = pin->count; i < count; i++)
	{
		pin->offsets[i] = -1;
		pin->ends[i] = (struct position) {LSN_INVALID, 0};
	}
	pin->count = count;
}

bool
pin_advance(struct pin *pin, int32_t partition, int64_t offset,
			struct position end, int64_t *before)
{
	*before = pin->offsets[partition];
	if (offset <= *before)
		return offset < *before &&
			!position_is_after(end, pin->ends[partition]);
	pin->offsets[partition] = offset;
	pin->ends[partition] = end;
	pin->refused = false;
	if (pin->denied)
		denied--;
	pin->denied = false;
	worked = true;
	return true;
}

void
pin_deny(struct pin *pin)
{
	if (!pin->denied)
		denied++;
	pin->denied = true;
}

bool
pin_any_denied(void)
{
	return denied > 0;
}

bool
pin_any_worked(void)
{
	return worked;
}
