// What the stream endpoints ask of the pods on this node; the pod loop fulfils it.

export interface PodLookup {
  /** Undefined where this node has no such pod, or one of another uid. */
  find(namespace: string, name: string, uid?: string): Promise<StreamPod | undefined>
}

export interface StreamPod {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  /** CRI id of its ready sandbox, in whose network namespace ports are forwarded; undefined while there is none. */
  readonly sandboxId: string | undefined
  /** Of a pod with a kernel of its own: its loopback address is reached from nowhere outside, so its ports are reached here. */
  readonly guestAddress?: string
  /** Init, ordinary and ephemeral containers. */
  readonly containers: readonly StreamContainer[]
}

export interface StreamContainer {
  readonly name: string
  readonly state: 'waiting' | 'running' | 'terminated'
  /** Why it waits: `ContainerCreating`, `ImagePullBackOff`, `PodInitializing`. */
  readonly waitingReason?: string
  /** Of the newest container, running or terminated; undefined when none was made. */
  readonly containerId: string | undefined
  /** CRI log file of the newest container; undefined when none was made. */
  readonly logPath: string | undefined
  /** CRI log file of the one before; undefined when there is none. */
  readonly previousLogPath: string | undefined
  /** As its spec says. */
  readonly stdin: boolean
  readonly tty: boolean
}
