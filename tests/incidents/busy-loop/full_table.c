#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An open-addressing table without a free slot: the search for a key that is not in it never ends. */
#define SLOTS 64
static const char *keys[SLOTS];

static unsigned hash_of(const char *key) {
  unsigned value = 5381;
  while (*key) value = value * 33 + (unsigned char)*key++;
  return value;
}

__attribute__((noinline)) static int find_slot(const char *key) {
  unsigned slot = hash_of(key) % SLOTS;
  while (keys[slot] != NULL && strcmp(keys[slot], key) != 0) slot = (slot + 1) % SLOTS;
  return (int)slot;
}

int main(void) {
  char name[32];
  for (int number = 0; number < SLOTS; number++) {
    snprintf(name, sizeof name, "session-%d", number);
    keys[find_slot(name)] = strdup(name);
  }
  printf("standing %d\n", (int)getpid());
  fflush(stdout);
  return find_slot("session-new");
}
