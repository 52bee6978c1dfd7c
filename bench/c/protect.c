/*
 * protect COUNT: microseconds of taking write access from 1,000 scattered pages of a slot that the guest has written,
 * by one mprotect each, and of giving it back.
 */
#include "guest.h"

#define SCATTERED 1000UL
#define STRIDE 7UL
#define SIZE (SCATTERED * STRIDE * PAGE)

static void protect(uint8_t *data, int protection)
{
	for (size_t n = 0; n < SCATTERED; n++)
		must(mprotect(data + n * STRIDE * PAGE, PAGE, protection), "mprotect");
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	int ram = make_ram(SYSTEM_SIZE + SIZE);
	struct vm vm = make_vm(ram);
	struct vcpu vcpu = make_vcpu(&vm, 0);
	uint8_t *data = view(ram, DATA, SIZE);

	set_slot(&vm, 1, 0, DATA, SIZE, data);
	write_pages(&vm, &vcpu, SIZE / PAGE, 1);
	for (int n = 0; n < atoi(argv[1]); n++) {
		double start = now_us();

		protect(data, PROT_READ);
		protect(data, PROT_READ | PROT_WRITE);
		sample(now_us() - start);
	}
	return 0;
}
