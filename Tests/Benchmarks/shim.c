// What a benchmark puts between a program and the system (LD_PRELOAD): a counter of allocations in the file
// BENCH_ALLOCATIONS (eight bytes), and a disk that takes BENCH_SYNC_MS milliseconds longer to sync.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static _Atomic unsigned long long before_start;
static _Atomic unsigned long long *allocations = &before_start;
static useconds_t delay;

__attribute__((constructor)) static void start(void) {
  const char *milliseconds = getenv("BENCH_SYNC_MS");
  if (milliseconds) delay = 1000 * (useconds_t)atoi(milliseconds);
  const char *path = getenv("BENCH_ALLOCATIONS");
  int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *memory = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory != MAP_FAILED) allocations = memory;
  close(file);
}

static void count(void) { atomic_fetch_add_explicit(allocations, 1, memory_order_relaxed); }

void *malloc(size_t size) { count(); return __libc_malloc(size); }
void *calloc(size_t number, size_t size) { count(); return __libc_calloc(number, size); }
void *realloc(void *old, size_t size) { count(); return __libc_realloc(old, size); }
void *memalign(size_t alignment, size_t size) { count(); return __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
  *result = memalign(alignment, size);
  return *result ? 0 : 12;
}

int fsync(int file) {
  if (delay) usleep(delay);
  return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
  if (delay) usleep(delay);
  return (int)syscall(SYS_fdatasync, file);
}
