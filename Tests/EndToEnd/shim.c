// What a test puts between the collector and the system (LD_PRELOAD): a disk whose fsync fails while the
// file SHIM_FAIL_SYNC exists, or does not end while SHIM_HOLD_SYNC does, one that takes nothing for a database
// file (but for its log) while SHIM_FAIL_WRITE exists, and a wall clock that is off by the seconds in the file
// SHIM_CLOCK (a double). And, where SHIM_DISK is set, Linux's page cache: that file is told of all that is written
// to a database and its log, and of their syncs, of which one fails for each file that begins with SHIM_LOSE.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *failing;
static const char *holding;
static const char *refusing;
static const char *losing;
static const volatile double *offset;
static int disk = -1;

__attribute__((constructor)) static void start(void) {
  failing = getenv("SHIM_FAIL_SYNC");
  holding = getenv("SHIM_HOLD_SYNC");
  refusing = getenv("SHIM_FAIL_WRITE");
  losing = getenv("SHIM_LOSE");
  const char *told = getenv("SHIM_DISK");
  if (told) disk = open(told, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
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

static int ends_with(int file, const char *suffix) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path);
  ssize_t end = (ssize_t)strlen(suffix);
  return length > end && memcmp(path + length - end, suffix, (size_t)end) == 0;
}

static int is_database(int file) { return ends_with(file, ".sqlite"); }

// The page cache

enum { MAXIMUM_FILES = 1024 };

// By file: whether it is to hear of what was lost.
static volatile char is_to_hear[MAXIMUM_FILES];
// Who wrote to the log last, whether that waits for a sync, and whether what waits of the file is a part of the log.
static volatile int writer = -1, is_log_waiting, is_part;

// What of a database a file is; 0 if none, or nobody asks.
static char part_of_database(int file) {
  if (disk < 0) return 0;
  return is_database(file) ? 'd' : ends_with(file, ".sqlite-wal") ? 'w' : 0;
}

// One call, so that those of two threads don't mix.
static void tell(char what, char part, off64_t offset, const void *bytes, size_t count) {
  struct { char what, part; int32_t count; int64_t offset; } head = {what, part, (int32_t)count, offset};
  struct iovec both[] = {{&head, sizeof head}, {(void *)bytes, bytes ? count : 0}};
  if (syscall(SYS_writev, disk, both, 2) < 0) abort();
}

static int is_lost(char part, int file) {
  if (!losing || (part == 'w' && !is_log_waiting)) return 0;
  // Who seals syncs the log by another file than it is written by; and SQLite cuts the database file before the sync
  // that follows when all of the log was moved.
  const char *what = part == 'd' ? (is_part ? "part" : "rest") : file == writer ? "commit" : "seal";
  char once[4096];
  snprintf(once, sizeof once, "%s-%s", losing, what);
  if (syscall(SYS_unlinkat, AT_FDCWD, once, 0) != 0) return 0;
  // Pages that could not be written count as clean, and every open file hears of it once.
  for (int other = 0; other < MAXIMUM_FILES; other++)
    is_to_hear[other] |= other != file && part_of_database(other) == part;
  return 1;
}

static int fails_to_write_back(int file) {
  char part = part_of_database(file);
  if (!part) return 0;
  int lost = is_lost(part, file);
  // Before the sync: it need not take what is written meanwhile.
  tell(lost ? 'F' : 'S', part, 0, NULL, 0);
  if (part == 'w') is_log_waiting = 0;
  if (!lost && !(file < MAXIMUM_FILES && is_to_hear[file])) return 0;
  if (file < MAXIMUM_FILES) is_to_hear[file] = 0;
  errno = EIO;
  return 1;
}

static int sync_by(long call, int file) {
  while (is_on(holding)) usleep(1000);
  return fails(failing) || fails_to_write_back(file) ? -1 : (int)syscall(call, file);
}

int fsync(int file) { return sync_by(SYS_fsync, file); }

int fdatasync(int file) { return sync_by(SYS_fdatasync, file); }

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  if (refusing && is_database(file) && fails(refusing)) return -1;
  ssize_t written = syscall(SYS_pwrite64, file, bytes, count, offset);
  char part = written > 0 ? part_of_database(file) : 0;
  if (part) tell('W', part, offset, bytes, (size_t)written);
  if (part == 'd') is_part = 1;
  if (part == 'w') {
    writer = file;
    is_log_waiting = 1;
  }
  return written;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  return pwrite64(file, bytes, count, offset);
}

int ftruncate64(int file, off64_t size) {
  int result = (int)syscall(SYS_ftruncate, file, size);
  char part = result == 0 ? part_of_database(file) : 0;
  if (part) tell('T', part, size, NULL, 0);
  if (part == 'd') is_part = 0;
  return result;
}

int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

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
