/* A relay that starts a thread for each message and leaves each waiting for an answer that nobody gives. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *deliver(void *argument) {
    sem_t answered;
    sem_init(&answered, 0, 0);
    sem_wait(&answered);
    return argument;
}

int main(void) {
    for (int sent = 0;; sent++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, deliver, NULL) == 0) pthread_detach(thread);
        if (sent == 60) {
            printf("standing %d\n", getpid());
            fflush(stdout);
        }
        usleep(40000);
        if (sent > 4000) pause();
    }
}
