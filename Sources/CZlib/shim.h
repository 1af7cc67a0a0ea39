// The system's zlib: gzip files, read piece by piece.
#include <zlib.h>
