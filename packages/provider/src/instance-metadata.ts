// Where machines ask what they are, the same on every one of them, and what they are told to answer.

export const METADATA_ADDRESS = '169.254.169.254'
export const METADATA_PORT = 80

/** Where the front door answers machines and pods, at the address of their API server: beside its 443 and the tunnel's 8132. */
export const FRONT_DOOR_PORT = 8443

/** What a machine is told at its boot, to tell it there. */
export interface InstanceFacts {
  readonly resourceId: string
  readonly region: string
  /** `1`. */
  readonly zone?: string
  readonly vmSize: string
  /** Absent where the machine's files lie on its host's disk. */
  readonly diskBytes?: number
  /** Of a spot machine. */
  readonly evictionPolicy?: 'Delete' | 'Deallocate'
  readonly tags: Readonly<Record<string, string>>
  readonly eventsFile: string
  /** Pods with a network of their own are not told. */
  readonly isRestricted: boolean
}
