/* MiniSat's headers name zlib, from which it would read formulas. The program makes its own. */
typedef void *gzFile;
int gzread(gzFile file, void *buffer, unsigned length);
