"""The contract as a list of checks that any hypervisor can be put to, on the machine at hand."""
