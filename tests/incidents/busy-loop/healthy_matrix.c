#include <stdio.h>
#include <unistd.h>

/* Powers of a matrix: one small loop, no system call, the same memory for minutes, and every round brings another sum. */
#define SIZE 300
static double left[SIZE][SIZE], right[SIZE][SIZE], result[SIZE][SIZE];

__attribute__((noinline)) static void multiply(void) {
  for (int row = 0; row < SIZE; row++)
    for (int column = 0; column < SIZE; column++) {
      double sum = 0;
      for (int each = 0; each < SIZE; each++) sum += left[row][each] * right[each][column];
      result[row][column] = result[row][column] * 0.5 + sum;
    }
}

int main(void) {
  for (int row = 0; row < SIZE; row++)
    for (int column = 0; column < SIZE; column++) {
      left[row][column] = (row * 7 + column) % 11 / 11.0;
      right[row][column] = (row + column * 3) % 13 / 13.0;
    }
  printf("standing %d\n", (int)getpid());
  fflush(stdout);
  for (long round = 0; round < 1000000; round++) multiply();
  printf("%f\n", result[3][4]);
  return 0;
}
