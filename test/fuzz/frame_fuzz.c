/*
 * frame_fuzz.c
 *		Any bytes into the frame reader: refused, or read to their end.
 *
 * With clang's libFuzzer the inputs are its own; with -DFUZZ_STANDALONE the
 * program mutates a sample frame a bounded number of times, for gcc.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/frames.h"
#include "frame.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads the bytes of a view that claims to lie within the input. */
static unsigned
sum(struct view view, const uint8_t *data, size_t size)
{
	const char *start = (const char *) data;
	unsigned	total = 0;

	if (view.len > 0 && (view.data < start || view.data > start + size ||
						 view.len > (size_t) (start + size - view.data)))
		abort();
	for (size_t i = 0; i < view.len; i++)
		total += (unsigned char) view.data[i];
	return total;
}

static unsigned
read_entry(struct frame_entry *entry, const uint8_t *data, size_t size)
{
	struct view name;
	struct view value;
	unsigned	total = 0;

	switch (entry->kind)
	{
		case WIRE_TOPIC:
			return sum(entry->topic.name, data, size);
		case WIRE_TABLE:
			return sum(entry->table.schema, data, size) +
				sum(entry->table.name, data, size);
		case WIRE_RECORD:
			total = sum(entry->record.key, data, size) +
				sum(entry->record.value, data, size);
			while (frame_next_header(&entry->record.headers, &name, &value))
				total += sum(name, data, size) + sum(value, data, size);
			if (entry->record.headers.len > 0)
				abort();
			return total;
		case WIRE_TXN:
		case WIRE_NOTICE:
			return total;
	}
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame frame;
	struct frame_error error;
	struct frame_entry entry;
	uint32_t	records = 0;
	volatile unsigned total = 0;

	if (!frame_parse(&frame, (const char *) data, size, &error))
	{
		if (error.text == NULL || error.offset > size)
			abort();
		return 0;
	}
	while (frame_next(&frame, &entry))
	{
		total += read_entry(&entry, data, size);
		records += entry.kind == WIRE_RECORD;
	}
	if (frame.next != frame.end || records != frame.records)
		abort();
	return 0;
}

#ifdef FUZZ_STANDALONE

/* Cuts, bends and repairs, as a fuzzer would that knows the header. */
static size_t
mutate(char *data, size_t len)
{
	int			count = 1 + (int) (random() % 8);

	while (count-- > 0)
	{
		size_t		at = (size_t) random() % len;

		switch (random() % 4)
		{
			case 0:
				data[at] = (char) random();
				break;
			case 1:
				data[at] = (char) (data[at] + (random() % 3 - 1));
				break;
			case 2:
				if (at > WIRE_HEADER_SIZE)
					len = at;
				break;
			default:
				memmove(data + at, data + (size_t) random() % (len - at + 1),
						(size_t) random() % (len - at) / 2);
				break;
		}
		if (len < WIRE_HEADER_SIZE)
			return len;
	}
	if (random() % 8 != 0)
		wire_put32(data + 12, (uint32_t) (len - WIRE_HEADER_SIZE));
	return len;
}

int
main(int argc, char **argv)
{
	long		rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 200000;
	static struct frames sample;

	srandom(argc > 2 ? (unsigned) strtoul(argv[2], NULL, 10) : 1);
	frames_sample(&sample);
	for (long i = 0; i < rounds; i++)
	{
		char		bent[4096];
		size_t		len = sample.len;
		uint8_t    *exact;

		memcpy(bent, sample.data, len);
		len = mutate(bent, len);
		exact = malloc(len > 0 ? len : 1);
		memcpy(exact, bent, len);
		LLVMFuzzerTestOneInput(exact, len);
		free(exact);
	}
	printf("%ld frames\n", rounds);
	return 0;
}

#endif							/* FUZZ_STANDALONE */
