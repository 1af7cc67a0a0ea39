// What a test puts between the collector and the system (LD_PRELOAD): a disk whose fsync fails while the
// file SHIM_FAIL_SYNC exists, or does not end while SHIM_HOLD_SYNC does, one that takes nothing for a database
// file (but for its log) while SHIM_FAIL_WRITE exists, and a wall clock that is off by the seconds in the file
// SHIM_CLOCK (a double).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *failing;
static const char *holding;
static const char *refusing;
static const volatile double *offset;

__attribute__((constructor)) static void start(void) {
  failing = getenv("SHIM_FAIL_SYNC");
  holding = getenv("SHIM_HOLD_SYNC");
  refusing = getenv("SHIM_FAIL_WRITE");
  const char *path = getenv("SHIM_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *memory = mmap(NULL, sizeof(double), PROT_READ, MAP_SHARED, file, 0);
  if (memory != MAP_FAILED) offset = memory;
  close(file);
}

static int is_on(const char *switched) {
  return switched && syscall(SYS_faccessat, AT_FDCWD, switched, F_OK) == 0;
}

static int fails(const char *switched) {
  if (!is_on(switched)) return 0;
  errno = EIO;
  return 1;
}

static int sync_by(long call, int file) {
  while (is_on(holding)) usleep(1000);
  return fails(failing) ? -1 : (int)syscall(call, file);
}

int fsync(int file) { return sync_by(SYS_fsync, file); }

int fdatasync(int file) { return sync_by(SYS_fdatasync, file); }

static int is_database(int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path);
  return length > 7 && memcmp(path + length - 7, ".sqlite", 7) == 0;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  if (refusing && is_database(file) && fails(refusing)) return -1;
  return syscall(SYS_pwrite64, file, bytes, count, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  return pwrite64(file, bytes, count, offset);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = (int)syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    time->tv_sec += (time_t)floor(*offset);
  return result;
}

int timespec_get(struct timespec *time, int base) {
  return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, time) == 0 ? base : 0;
}

int gettimeofday(struct timeval *restrict value, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  value->tv_sec = now.tv_sec;
  value->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}
