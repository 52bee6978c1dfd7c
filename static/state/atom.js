// An atom: one value that may be read, set and watched.

/**
 * @template T
 */
export class Atom {
  /** @param {T} value */
  constructor(value) {
    this.value = value;
    /** @type {Set<(value: T) => void>} */
    this.watchers = new Set();
  }

  /** @param {T} value */
  set(value) {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const watcher of this.watchers) watcher(value);
  }

  /**
   * Calls `watcher` now and after each change.
   * @param {(value: T) => void} watcher
   */
  watch(watcher) {
    this.watchers.add(watcher);
    watcher(this.value);
  }
}
