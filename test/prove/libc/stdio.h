#ifndef WASMALLOC_PROVE_STDIO_H
#define WASMALLOC_PROVE_STDIO_H

typedef struct file FILE;
extern FILE *stderr;

int fprintf(FILE *file, const char *format, ...);

#endif
