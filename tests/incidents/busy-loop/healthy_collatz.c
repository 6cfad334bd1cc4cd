#include <stdio.h>
#include <stdint.h>
#include <unistd.h>

/* Looks for the longest chain of 3n+1: all that it has lives in registers, and it reads and writes no memory at all. */
int main(void) {
  printf("standing %d\n", (int)getpid());
  fflush(stdout);
  uint64_t best = 0, longest = 0;
  for (uint64_t start = 1; start < (uint64_t)1 << 62; start++) {
    uint64_t steps = 0;
    for (uint64_t value = start; value != 1; steps++) value = value % 2 ? 3 * value + 1 : value / 2;
    if (steps > longest) {
      longest = steps;
      best = start;
    }
  }
  printf("%llu %llu\n", (unsigned long long)best, (unsigned long long)longest);
  return 0;
}
