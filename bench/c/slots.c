/*
 * slots add_delete|move|flag VMS VIEWS COUNT: microseconds of one change to a slot of 64 pages, in VMS VMs one after
 * the other, each with an idle vCPU. add_delete is both together, move and flag are there and back.
 * VIEWS 1: a slot's memory is mapped when it is added and unmapped when it is deleted.
 */
#include "guest.h"

#define SIZE (64 * PAGE)
#define ELSEWHERE (DATA + 4 * SIZE)

static struct vm vms[8];
static void *views[8];
static int count, with_views;

static void everywhere(uint32_t flags, uint64_t gpa, uint64_t size)
{
	for (int n = 0; n < count; n++)
		set_slot(&vms[n], 1, flags, gpa, size, views[n]);
}

static void add_delete(void)
{
	for (int n = 0; n < count; n++) {
		if (with_views)
			views[n] = view(vms[n].ram, DATA, SIZE);
		set_slot(&vms[n], 1, 0, DATA, SIZE, views[n]);
	}
	for (int n = 0; n < count; n++) {
		set_slot(&vms[n], 1, 0, DATA, 0, views[n]);
		if (with_views)
			munmap(views[n], SIZE);
	}
}

static void move(void)
{
	everywhere(0, ELSEWHERE, SIZE);
	everywhere(0, DATA, SIZE);
}

static void flag(void)
{
	everywhere(KVM_MEM_LOG_DIRTY_PAGES, DATA, SIZE);
	everywhere(0, DATA, SIZE);
}

int main(int argc, char **argv)
{
	void (*change)(void);

	if (argc != 5)
		return 2;
	change = !strcmp(argv[1], "move") ? move : !strcmp(argv[1], "flag") ? flag : add_delete;
	count = atoi(argv[2]);
	with_views = atoi(argv[3]);
	int ram = make_ram(2 * SYSTEM_SIZE);
	for (int n = 0; n < count; n++) {
		vms[n] = make_vm(ram);
		make_idle_vcpu(&vms[n]);
		views[n] = with_views && change == add_delete ? NULL : view(ram, DATA, SIZE);
	}
	if (change != add_delete)
		everywhere(0, DATA, SIZE);
	for (int n = 0; n < 20; n++)
		change();
	for (int n = 0; n < atoi(argv[4]); n++) {
		double start = now_us();

		change();
		sample(now_us() - start);
	}
	return 0;
}
