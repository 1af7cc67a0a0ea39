// OpenBLAS's C interface, as Debian's libopenblas-serial-dev lays it out. The serial build, so that a
// product's sums always run in the same order.
#include <cblas-openblas.h>
