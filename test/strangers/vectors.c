/* Buffers that grow in turn. Arguments: their number, and by how many tenths each grows. Prints the most that linear
 * memory was beyond what all would need side by side, in thousandths, or that there was no memory. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
  size_t count = (size_t)atoi(argv[1]), tenths = (size_t)atoi(argv[2]),
         most = (size_t)atoi(argv[3]) << 20;
  char *buffers[8] = {0};
  char *start = sbrk(0);
  size_t worst = 0;
  for (uint64_t size = 1024; size <= most / count; size = size * tenths / 10)
    for (size_t i = 0; i < count; i++) {
      char *buffer = realloc(buffers[i], (size_t)size);
      if (!buffer) {
        puts("no memory");
        return 0;
      }
      buffer[size - 1] = 1;
      buffers[i] = buffer;
      size_t ratio = (size_t)(((char *)sbrk(0) - start) * 1000.0 / (double)(size * count));
      if (i + 1 == count && size >= 65536 && ratio > worst)
        worst = ratio;
    }
  printf("%zu\n", worst);
  return argc != 4;
}
