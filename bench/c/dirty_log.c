/*
 * dirty_log VMS STRIDE COUNT: microseconds of KVM_GET_DIRTY_LOG of 262,144 pages from VMS VMs into one bitmap (each
 * further VM's is merged into the first's), after a guest in the first has written every STRIDEth page (0: none).
 */
#include "guest.h"

#define PAGES 262144UL
static uint64_t bitmap[PAGES / 64], other[PAGES / 64];

static void get_log(struct vm *vms, int count)
{
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };

	must(ioctl(vms[0].fd, KVM_GET_DIRTY_LOG, &log), "KVM_GET_DIRTY_LOG");
	for (int n = 1; n < count; n++) {
		log.dirty_bitmap = other;
		must(ioctl(vms[n].fd, KVM_GET_DIRTY_LOG, &log), "KVM_GET_DIRTY_LOG");
		for (size_t word = 0; word < PAGES / 64; word++)
			bitmap[word] |= other[word];
	}
}

int main(int argc, char **argv)
{
	struct vm vms[8];
	struct vcpu vcpu;

	if (argc != 4)
		return 2;
	int count = atoi(argv[1]), ram = make_ram(SYSTEM_SIZE + PAGES * PAGE);
	uint64_t stride = strtoul(argv[2], NULL, 0);

	for (int n = 0; n < count; n++) {
		vms[n] = make_vm(ram);
		set_slot(&vms[n], 1, KVM_MEM_LOG_DIRTY_PAGES, DATA, PAGES * PAGE, view(ram, DATA, PAGES * PAGE));
	}
	vcpu = make_vcpu(&vms[0], 0);
	for (int n = 0; n < atoi(argv[3]); n++) {
		if (stride)
			write_pages(&vms[0], &vcpu, (PAGES + stride - 1) / stride, stride);
		double start = now_us();

		get_log(vms, count);
		sample(now_us() - start);
	}
	return 0;
}
