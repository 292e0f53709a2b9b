/*
 * accumulator_test.c
 *		Lines against a model: each record once and in order, the line that is
 *		due first.
 */
#include <stdlib.h>
#include <string.h>

#include "accumulator.h"
#include "tap.h"

#define LINES		5
#define STEPS		200000
#define LINGER		10
#define BATCH		7			/* records */

/* A record's number in its line, in place of a hash. */
static struct frame_record
body(uint32_t number)
{
	return (struct frame_record) {
		.hash = number,
		.key = {"key", 3},
		.value = {"value", 5},
	};
}

struct model
{
	uint32_t	added;
	uint32_t	gone;
	int64_t		since;			/* of the oldest that waits */
	bool		open;
};

static bool
is_sound(const struct accumulator *accumulator, const struct line *lines,
		 const struct model *models)
{
	uint64_t	count = 0;
	int64_t		due = 0;
	int			listed = 0;

	for (int i = 0; i < LINES; i++)
	{
		uint32_t	waiting = models[i].added - models[i].gone;

		if (lines[i].count != waiting ||
			(waiting == 0) != (lines[i].first == NULL) ||
			lines[i].bytes != waiting * accumulator_size(&(struct frame_record) {
				.key = {"key", 3}, .value = {"value", 5}
			}) ||
			(waiting > 0 && lines[i].first->body.hash != models[i].gone) ||
			lines[i].listed != (models[i].open && waiting > 0))
			return false;
		count += waiting;
		listed += lines[i].listed;
	}
	for (const struct line *line = accumulator->first; line != NULL;
		 line = line->behind)
	{
		if (line->due < due || !line->listed)
			return false;
		due = line->due;
		listed--;
	}
	return listed == 0 && accumulator->count == count;
}

/* Whoever is due is one whose oldest has lingered, or that is full. */
static bool
is_right(const struct line *due, const struct line *lines,
		 const struct model *models, int64_t now)
{
	bool		any = false;

	for (int i = 0; i < LINES; i++)
	{
		bool		ready = lines[i].listed &&
			(lines[i].count >= BATCH || models[i].since + LINGER <= now);

		any |= ready;
		if (due == &lines[i])
			return lines[i].listed;
	}
	return !any;
}

static void
test_model(unsigned seed)
{
	struct accumulator accumulator;
	struct line lines[LINES];
	struct model models[LINES];
	bool		sound = true;
	bool		right = true;
	int64_t		now = 1000;

	srandom(seed);
	memset(lines, 0, sizeof(lines));
	memset(models, 0, sizeof(models));
	accumulator_init(&accumulator, LINGER, 100000, BATCH);
	for (int step = 0; step < STEPS && sound && right; step++)
	{
		int			at = (int) (random() % LINES);
		struct line *line = &lines[at];
		struct model *model = &models[at];
		struct frame_record record = body(model->added);

		now += random() % 3;
		switch (random() % 4)
		{
			case 0:
				if (model->added == model->gone)
					model->since = now;
				accumulator_add(&accumulator, line, NULL, &record, now);
				model->added++;
				if (model->open)
					accumulator_admit(&accumulator, line);
				break;
			case 1:
				model->open = true;
				accumulator_admit(&accumulator, line);
				break;
			case 2:
				model->open = false;
				accumulator_hold(&accumulator, line);
				break;
			case 3:
				line = accumulator_due(&accumulator, now);
				right = is_right(line, lines, models, now);
				while (line != NULL && line->first != NULL &&
					   random() % 8 != 0)
				{
					model = &models[line - lines];
					right &= line->first->body.hash == model->gone++;
					accumulator_drop(&accumulator, line);
				}
				break;
		}
		sound = is_sound(&accumulator, lines, models);
	}
	ok(sound, "lines are as the model has them");
	ok(right, "who is due may go, and nobody who may is overlooked");
	ok(accumulator.block_count < 100, "what has gone leaves its room to others");
	accumulator_free(&accumulator);
}

static void
test_full(void)
{
	struct accumulator accumulator;
	struct line lines[2];
	struct frame_record record = body(0);

	memset(lines, 0, sizeof(lines));
	accumulator_init(&accumulator, LINGER, 1000, 1000);
	accumulator_add(&accumulator, &lines[0], NULL, &record, 100);
	accumulator_admit(&accumulator, &lines[0]);
	accumulator_add(&accumulator, &lines[1], NULL, &record, 105);
	accumulator_admit(&accumulator, &lines[1]);
	ok(accumulator_due(&accumulator, 109) == NULL, "records linger");
	ok(accumulator_due(&accumulator, 110) == &lines[0],
	   "the oldest are due first");
	record.value.len = 1000;
	accumulator_add(&accumulator, &lines[1], NULL, &record, 106);
	ok(accumulator_due(&accumulator, 0) == &lines[1],
	   "a full batch does not linger");
	accumulator_free(&accumulator);
}

int
main(void)
{
	test_full();
	for (unsigned seed = 1; seed <= 5; seed++)
		test_model(seed);
	return tap_done();
}
