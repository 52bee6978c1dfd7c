// Shapes of what a frame says in JSON; engine/session/status.py has the meaning of each field.

/** Number, or decimal text where a 64-bit value does not fit one exactly. */
export type Wide = number | string;

export interface BitField {
  name: string;
  first: number;
  width: number;
}

export interface MessageField {
  at: number;
  size: number;
  name: string;
  bits: BitField[];
  words: Record<string, string>;
}

export interface Info {
  name: string;
  about: string;
  scenario: string;
  hypervisor: string;
  label: string;
  real: boolean;
  why_not_kvm: string;
  clock: string;
  ram: number;
  system_pages: number;
  masks: number[];
  mask_reason: string;
  message: MessageField[];
}

export interface VcpuStatus {
  index: number;
  vtl: number;
  state: string;
  rip: Wide;
  exits: number;
  rate: number;
  switches: number;
  registers: Record<string, Wide> | null;
}

export interface SlotStatus {
  slot: number;
  base: number;
  size: number;
  offset: number;
  flags: number;
}

export interface ChurnStatus {
  slot: number;
  rate: number;
  done: number;
}

export interface Status {
  phase: string;
  why: string;
  on_protection: string;
  speed: number | null;
  vcpus: VcpuStatus[];
  slots: SlotStatus[];
  churn: ChurnStatus | null;
  exits: Record<string, number>;
  exits_per_second: number;
  dirty_per_second: number;
  dirty_losses: number;
  instructions: number | null;
  dropped: number;
  last_seq: number;
}

export interface Line {
  address: Wide;
  text: string;
  here: boolean;
}

export interface CallRecord {
  name: string;
  code: number;
  fast: boolean;
  start: number;
  count: number;
  reps: number;
  rdx: Wide;
  r8: Wide;
  status: string;
  finished: boolean;
  why: string;
  fields: [string, string][];
  elements: string[];
  output: [string, string][];
}

export interface SwitchRecord {
  from_vtl: number;
  to_vtl: number;
  reason: string;
}

export interface MessageRecord {
  vtl: number;
  waits: boolean;
  data: string;
}

export interface ExitRecord {
  seq: number;
  time: number;
  vcpu: number;
  vtl: number;
  kind: string;
  rip: Wide;
  text: string;
  listing: Line[];
  raw: string;
  answer: string;
  gpa: number | null;
  gva: Wide | null;
  access: string | null;
  size: number | null;
  data: string | null;
  mask: number | null;
  port: number | null;
  index: number | null;
  register: string | null;
  given: string | null;
  setter: number | null;
  call: CallRecord | null;
  switch: SwitchRecord | null;
  message: MessageRecord | null;
}

export interface Frame {
  keyframe: boolean;
  merged: boolean;
  seq: number;
  firstSeq: number;
  time: number;
  pages: number;
  leftOut: number;
  /** ms since 1970, with a fraction. */
  encodedAt: number;
  info: Info | null;
  status: Status | null;
  dirty: Uint32Array | null;
  masks: Uint32Array | null;
  exits: ExitRecord[];
  faults: Uint32Array | null;
}

/** Pages first, first + 1, ..., first + count - 1. */
export interface Range {
  first: number;
  count: number;
}

/** A command as engine/model/commands.py reads it. */
export interface Command {
  do: string;
  [field: string]: unknown;
}

export interface Ended {
  reason: string;
  signal: number | null;
  exit: number | null;
}
