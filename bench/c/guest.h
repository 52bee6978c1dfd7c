/*
 * The guest that the programs here measure on, as the engine makes it: long mode, ring 0, the low 4 GiB mapped onto
 * themselves in 2 MiB pages, RAM in a memfd. Page tables and code are in slot 0, what is measured is in slot 1.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define SYSTEM_SIZE (2UL << 20)
#define DATA SYSTEM_SIZE /* gpa of slot 1 */
#define PML4 0x1000
#define PDPT 0x2000
#define DIRECTORIES 0x3000
#define CODE 0x10000
#define PORT 0x10

struct vm {
	int kvm, fd;
	int ram; /* memfd */
	uint8_t *system;
};

struct vcpu {
	int fd;
	struct kvm_run *run;
};

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline long must(long result, const char *what)
{
	if (result < 0)
		die(what);
	return result;
}

static inline double now_us(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1e6 + at.tv_nsec / 1e3;
}

/* One sample: a JSON number on a line of its own. */
static inline void sample(double value)
{
	printf("%.3f\n", value);
}

static inline void *view(int ram, size_t offset, size_t size)
{
	void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, ram, offset);

	if (made == MAP_FAILED)
		die("mmap");
	return made;
}

static inline void set_slot(struct vm *vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, void *at)
{
	struct kvm_userspace_memory_region region = { slot, flags, gpa, size, (uintptr_t)at };

	must(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

static inline void identity_tables(uint8_t *system)
{
	uint64_t *pml4 = (void *)(system + PML4), *pdpt = (void *)(system + PDPT);
	uint64_t *directories = (void *)(system + DIRECTORIES);

	pml4[0] = PDPT | 0x23; /* present, writable, accessed */
	for (uint64_t n = 0; n < 4; n++)
		pdpt[n] = (DIRECTORIES + n * PAGE) | 0x23;
	for (uint64_t n = 0; n < 4 * 512; n++)
		directories[n] = n << 21 | 0xE3; /* and dirty, large */
}

/* A VM over `ram` (a memfd that vms of one guest share) with slot 0 in it. */
static inline struct vm make_vm(int ram)
{
	struct vm vm = { .ram = ram };

	vm.kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	vm.fd = must(ioctl(vm.kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	vm.system = view(ram, 0, SYSTEM_SIZE);
	identity_tables(vm.system);
	set_slot(&vm, 0, 0, 0, SYSTEM_SIZE, vm.system);
	return vm;
}

static inline int make_ram(size_t size)
{
	int ram = must(memfd_create("guest-ram", MFD_CLOEXEC), "memfd_create");

	must(ftruncate(ram, size), "ftruncate");
	return ram;
}

static inline void enter_long_mode(int fd)
{
	struct kvm_segment code = { .limit = 0xFFFFFFFF, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1 };
	struct kvm_segment data = { .limit = 0xFFFFFFFF, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1 };
	struct kvm_sregs sregs;

	must(ioctl(fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cr0 = 0x80050033; /* PG AM WP NE ET MP PE */
	sregs.cr3 = PML4;
	sregs.cr4 = 0x620; /* PAE OSFXSR OSXMMEXCPT */
	sregs.efer = 0x500; /* LME LMA */
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	must(ioctl(fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
}

static inline void supported_cpuid(int kvm, int fd)
{
	struct kvm_cpuid2 *table = calloc(1, sizeof(*table) + 256 * sizeof(table->entries[0]));

	table->nent = 256;
	must(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, table), "KVM_GET_SUPPORTED_CPUID");
	must(ioctl(fd, KVM_SET_CPUID2, table), "KVM_SET_CPUID2");
	free(table);
}

/* At the start of the code, port in RDX, the rest as given. */
static inline void set_registers(struct vcpu *vcpu, const struct kvm_regs *others)
{
	struct kvm_regs regs = *others;

	regs.rip = CODE;
	regs.rflags = 2;
	regs.rdx = PORT;
	must(ioctl(vcpu->fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

static inline struct vcpu make_vcpu(struct vm *vm, int id)
{
	struct vcpu vcpu = { .fd = must(ioctl(vm->fd, KVM_CREATE_VCPU, id), "KVM_CREATE_VCPU") };
	size_t size = must(ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");

	vcpu.run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.fd, 0);
	if (vcpu.run == MAP_FAILED)
		die("mmap of kvm_run");
	supported_cpuid(vm->kvm, vcpu.fd);
	enter_long_mode(vcpu.fd);
	return vcpu;
}

static inline void put_code(struct vm *vm, const void *code, size_t size)
{
	memcpy(vm->system + CODE, code, size);
}

/* Enter the guest until it exits for `reason`; anything else is an error of the program here. */
static inline void run_until(struct vcpu *vcpu, uint32_t reason)
{
	must(ioctl(vcpu->fd, KVM_RUN, 0), "KVM_RUN");
	if (vcpu->run->exit_reason != reason) {
		fprintf(stderr, "exit reason %u, not %u\n", vcpu->run->exit_reason, reason);
		exit(1);
	}
}

/* Have the guest write to `pages` pages of slot 1, `stride` apart. */
static inline void write_pages(struct vm *vm, struct vcpu *vcpu, uint64_t pages, uint64_t stride)
{
	/* again: mov [rdi], rax; add rdi, rbx; dec rcx; jnz again; out dx, al */
	static const uint8_t code[] = { 0x48, 0x89, 0x07, 0x48, 0x01, 0xDF, 0x48, 0xFF, 0xC9, 0x75, 0xF5, 0xEE };

	put_code(vm, code, sizeof(code));
	set_registers(vcpu, &(struct kvm_regs){ .rdi = DATA, .rbx = stride * PAGE, .rcx = pages });
	run_until(vcpu, KVM_EXIT_IO);
	/* Let KVM finish the OUT, so that the next KVM_SET_REGS stands. */
	vcpu->run->immediate_exit = 1;
	ioctl(vcpu->fd, KVM_RUN, 0);
	vcpu->run->immediate_exit = 0;
}

/* A vCPU that has run, and is out of the guest. */
static inline struct vcpu make_idle_vcpu(struct vm *vm)
{
	static const uint8_t out_jmp[] = { 0xEE, 0xEB, 0xFD };
	struct vcpu vcpu = make_vcpu(vm, 0);

	put_code(vm, out_jmp, sizeof(out_jmp));
	set_registers(&vcpu, &(struct kvm_regs){ 0 });
	run_until(&vcpu, KVM_EXIT_IO);
	return vcpu;
}
