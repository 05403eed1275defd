// What the reconciler is doing for a cluster right now, in words: shown while an operation runs, kept nowhere.

export class Steps {
  readonly #steps = new Map<string, string>()

  set(clusterId: string, step: string): void {
    this.#steps.set(clusterId.toLowerCase(), step)
  }

  clear(clusterId: string): void {
    this.#steps.delete(clusterId.toLowerCase())
  }

  /** Of a cluster, or of the cluster that a pool belongs to. */
  of(resourceId: string): string | undefined {
    return this.#steps.get(resourceId.toLowerCase().replace(/\/agentpools\/[^/]+$/, ''))
  }
}
