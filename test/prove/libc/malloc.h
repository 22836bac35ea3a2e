#ifndef WASMALLOC_PROVE_MALLOC_H
#define WASMALLOC_PROVE_MALLOC_H

struct mallinfo {
  int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

#endif
