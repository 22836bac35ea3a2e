#include "bins.h"

LAYOUT(classes, cache.classes)
LAYOUT(class_count, CLASSES)
LAYOUT(class_bytes, sizeof(struct size_class))
LAYOUT(class_quick, offsetof(struct size_class, quick))
LAYOUT(class_objects, offsetof(struct size_class, objects))
LAYOUT(class_free, offsetof(struct size_class, free))
LAYOUT(class_room, offsetof(struct size_class, room))

LAYOUT(rings, cache.rings)
LAYOUT(ring_count, RUN_CLASSES)
LAYOUT(ring_bytes, sizeof(struct ring))
LAYOUT(ring_runs, offsetof(struct ring, runs))

LAYOUT(run_header, RUN_HEADER)
LAYOUT(run_word, offsetof(struct run, word))
LAYOUT(run_next, offsetof(struct run, next))
LAYOUT(run_size, offsetof(struct run, size))
LAYOUT(run_objects, offsetof(struct run, objects))
