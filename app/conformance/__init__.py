"""Whether the hypervisors of this host keep the contract."""
