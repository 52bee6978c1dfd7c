/*
 * exits io|mmio SYNC BATCHES SIZE: exits a second, each with its reason and data read; one sample a batch of SIZE.
 * SYNC 1: KVM leaves the registers in kvm_run at each exit (api.rst 5, kvm_valid_regs), as the engine has it.
 */
#include "guest.h"

static const uint8_t out_jmp[] = { 0xEE, 0xEB, 0xFD }; /* again: out dx, al; jmp again */
static const uint8_t mov_jmp[] = { 0x48, 0x89, 0x07, 0xEB, 0xFB }; /* again: mov [rdi], rax; jmp again */
static volatile uint64_t read_from_exits;

static void io_exits(struct vcpu *vcpu, long count)
{
	struct kvm_run *run = vcpu->run;
	uint64_t sum = 0;

	while (count--) {
		run_until(vcpu, KVM_EXIT_IO);
		sum += run->io.port + run->io.size + ((uint8_t *)run)[run->io.data_offset];
	}
	read_from_exits = sum;
}

static void mmio_exits(struct vcpu *vcpu, long count)
{
	struct kvm_run *run = vcpu->run;
	uint64_t sum = 0;

	while (count--) {
		run_until(vcpu, KVM_EXIT_MMIO);
		sum += run->mmio.phys_addr + run->mmio.len + run->mmio.is_write + *(uint64_t *)run->mmio.data;
	}
	read_from_exits = sum;
}

int main(int argc, char **argv)
{
	int io = argc == 5 && !strcmp(argv[1], "io");
	void (*exits)(struct vcpu *, long) = io ? io_exits : mmio_exits;
	struct vm vm = make_vm(make_ram(2 * SYSTEM_SIZE));
	struct vcpu vcpu = make_vcpu(&vm, 0);

	if (argc != 5)
		return 2;
	if (atoi(argv[2]))
		vcpu.run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	put_code(&vm, io ? out_jmp : mov_jmp, io ? sizeof(out_jmp) : sizeof(mov_jmp));
	set_registers(&vcpu, &(struct kvm_regs){ .rdi = 2 * SYSTEM_SIZE }); /* in no slot */
	exits(&vcpu, 1000);
	for (int batch = 0; batch < atoi(argv[3]); batch++) {
		double start = now_us();

		exits(&vcpu, atol(argv[4]));
		sample(atol(argv[4]) / ((now_us() - start) / 1e6));
	}
	return 0;
}
