/*
 * A server that runs for long, without anybody else's code: sessions, whose state is replaced at each
 * request by one of another size; small records of what happened, which live much longer, in lists;
 * and what a request needs while it is served. The records come to lie between the states, and the
 * holes that the states leave are what an allocator has to do with. Prints what it did.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "random.h"

enum { SESSIONS = 48, REQUESTS = 60000, LISTS = 256, RECORDS = 9000 };

typedef struct record {
  struct record *next;
  unsigned request, session;
  char note[];
} record_t;

typedef struct {
  char *state, *name;
  size_t length;
} session_t;

static session_t sessions[SESSIONS];

/* The oldest record of a list is dropped when there are too many in all. */
static struct { record_t *first, **last; } lists[LISTS];

static unsigned records;

static void *get(size_t bytes) {
  void *block = malloc(bytes);
  if (!block) {
    puts("out of memory");
    exit(1);
  }
  return block;
}

static void keep_record(unsigned request, unsigned session) {
  const char *word = random_word();
  record_t *record = get(sizeof *record + strlen(word) + 1);
  record->next = NULL;
  record->request = request;
  record->session = session;
  strcpy(record->note, word);
  unsigned list = random_below(LISTS);
  if (!lists[list].first)
    lists[list].last = &lists[list].first;
  *lists[list].last = record;
  lists[list].last = &record->next;
  ++records;
  while (records > RECORDS) {
    unsigned oldest = random_below(LISTS);
    record_t *dropped = lists[oldest].first;
    if (!dropped)
      continue;
    lists[oldest].first = dropped->next;
    if (!dropped->next)
      lists[oldest].last = &lists[oldest].first;
    free(dropped);
    --records;
  }
}

/* Most states are small; some are a hundred times as large. */
static size_t state_length(void) {
  return random_below(16) ? 200 + random_below(1800) : 4000 + random_below(28000);
}

/* Reads a request's parameters, each of which is a copy, and writes the answer to a buffer that grows. */
static unsigned long serve(session_t *session) {
  char *parameters[24];
  unsigned count = 1 + random_below(24);
  for (unsigned i = 0; i < count; ++i) {
    const char *word = random_word();
    parameters[i] = get(strlen(word) + 8);
    sprintf(parameters[i], "%s=%u", word, random_below(1000));
  }
  size_t length = 0, room = 64;
  char *answer = get(room);
  for (unsigned i = 0; i < count; ++i) {
    size_t more = strlen(parameters[i]) + session->length / 64;
    while (length + more > room) {
      room *= 2;
      answer = realloc(answer, room);
      if (!answer) {
        puts("out of memory");
        exit(1);
      }
    }
    memset(answer + length, parameters[i][0], more);
    length += more;
  }
  unsigned long sum = (unsigned char)answer[length / 2] + length;
  for (unsigned i = 0; i < count; ++i)
    free(parameters[i]);
  free(answer);
  return sum;
}

int main(void) {
  unsigned long sum = 0, bytes = 0;
  for (unsigned request = 0; request < REQUESTS; ++request) {
    unsigned number = random_below(SESSIONS);
    session_t *session = &sessions[number];
    if (!session->name || random_below(200) == 0) {
      free(session->name);
      free(session->state);
      const char *word = random_word();
      session->name = get(strlen(word) + 16);
      sprintf(session->name, "%s-%u", word, request);
      session->length = state_length();
      session->state = memset(get(session->length), 1, session->length);
    }
    sum += serve(session);
    /* The new state is made from the old one, which goes then. */
    size_t length = state_length();
    char *state = get(length);
    memset(state, (int)(request & 127), length);
    state[0] = session->state[session->length - 1];
    free(session->state);
    session->state = state;
    session->length = length;
    bytes += length;
    if (random_below(3) == 0)
      keep_record(request, number);
  }
  printf("%lu, %lu bytes of states, %u records\n", sum, bytes, records);
  for (unsigned i = 0; i < SESSIONS; ++i) {
    free(sessions[i].name);
    free(sessions[i].state);
  }
  for (unsigned i = 0; i < LISTS; ++i)
    for (record_t *record = lists[i].first, *next; record; record = next) {
      next = record->next;
      free(record);
    }
  return 0;
}
