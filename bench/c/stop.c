/*
 * stop VCPUS COUNT: microseconds from the first immediate_exit and signal until the last of VCPUS spinning vCPUs has
 * said that it is out of the guest. A thread each.
 */
#include "guest.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

static const uint8_t spin[] = { 0x48, 0xFF, 0x07, 0xEB, 0xFB }; /* again: inc qword ptr [rdi]; jmp again */

struct worker {
	struct vcpu vcpu;
	pthread_t thread;
	sem_t go, stopped;
};

static void nothing(int number)
{
	(void)number;
}

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore))
		; /* a signal that came late */
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (;;) {
		wait_for(&worker->go);
		do {
			if (ioctl(worker->vcpu.fd, KVM_RUN, 0) != -1 || errno != EINTR)
				die("KVM_RUN did not end by a kick");
		} while (!worker->vcpu.run->immediate_exit);
		worker->vcpu.run->immediate_exit = 0;
		sem_post(&worker->stopped);
	}
	return NULL;
}

static double stop_all(struct worker *workers, int count)
{
	double start = now_us();

	for (int n = 0; n < count; n++) {
		workers[n].vcpu.run->immediate_exit = 1;
		pthread_kill(workers[n].thread, SIGUSR1);
	}
	for (int n = 0; n < count; n++)
		wait_for(&workers[n].stopped);
	return now_us() - start;
}

int main(int argc, char **argv)
{
	struct worker workers[8];
	struct sigaction action = { .sa_handler = nothing };

	if (argc != 3)
		return 2;
	sigaction(SIGUSR1, &action, NULL);
	int count = atoi(argv[1]), ram = make_ram(2 * SYSTEM_SIZE);
	struct vm vm = make_vm(ram);

	set_slot(&vm, 1, 0, DATA, SYSTEM_SIZE, view(ram, DATA, SYSTEM_SIZE));
	put_code(&vm, spin, sizeof(spin));
	for (int n = 0; n < count; n++) {
		workers[n].vcpu = make_vcpu(&vm, n);
		set_registers(&workers[n].vcpu, &(struct kvm_regs){ .rdi = DATA + n * PAGE });
		sem_init(&workers[n].go, 0, 0);
		sem_init(&workers[n].stopped, 0, 0);
		pthread_create(&workers[n].thread, NULL, work, &workers[n]);
	}
	for (int n = 0; n < atoi(argv[2]) + 3; n++) {
		for (int one = 0; one < count; one++)
			sem_post(&workers[one].go);
		usleep(20000); /* all of them spin, in turn where there are fewer processors */
		double passed = stop_all(workers, count);

		if (n >= 3)
			sample(passed);
	}
	return 0;
}
