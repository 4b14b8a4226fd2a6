/* Starts a command many times, side by side or one after the other, and says what that took, as JSON.
 *
 *     spawn (together|in-turn) COUNT INPUT COMMAND [ARGUMENT]…
 *
 * Each gets the file INPUT as standard input and writes to /dev/null. It is a program of its own, static and small, for two
 * reasons: the peak memory that the kernel reports of a child begins with its parent's, and a large parent starts children
 * slowly. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static double seconds(struct timeval time) { return time.tv_sec + time.tv_usec / 1e6; }

static double user, sys;
static long peak_kb, faults, failed, started;

static void start(const char *input, char **command) {
    pid_t child = vfork();
    if (child == 0) {
        int in = open(input, O_RDONLY), out = open("/dev/null", O_WRONLY);
        if (in < 0 || out < 0) _exit(127);
        dup2(in, 0);
        dup2(out, 1);
        close(in);
        close(out);
        execv(command[0], command);
        _exit(127);
    }
    if (child < 0) failed++;
    else started++;
}

static void end_one(void) {
    struct rusage usage;
    int status;
    if (wait4(-1, &status, 0, &usage) < 0) exit(2);
    started--;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) failed++;
    user += seconds(usage.ru_utime);
    sys += seconds(usage.ru_stime);
    faults += usage.ru_minflt + usage.ru_majflt;
    if (usage.ru_maxrss > peak_kb) peak_kb = usage.ru_maxrss;
}

int main(int count, char **words) {
    if (count < 5) return 2;
    int together = strcmp(words[1], "together") == 0;
    double began = now();
    for (int left = atoi(words[2]); left > 0; left--) {
        start(words[3], words + 4);
        if (!together) end_one();
    }
    while (started > 0) end_one();
    printf("{\"wall\": %.6f, \"user\": %.6f, \"system\": %.6f, \"peak_kb\": %ld, \"faults\": %ld, \"failed\": %ld}\n",
           now() - began, user, sys, peak_kb, faults, failed);
    return 0;
}
