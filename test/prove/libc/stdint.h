#ifndef WASMALLOC_PROVE_STDINT_H
#define WASMALLOC_PROVE_STDINT_H

typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef long intptr_t;
typedef unsigned long uintptr_t;

#define UINT32_MAX 0xffffffffu
#define SIZE_MAX (~0ul)
#define UINTPTR_MAX SIZE_MAX
#define PTRDIFF_MAX ((long)(SIZE_MAX >> 1))

#endif
