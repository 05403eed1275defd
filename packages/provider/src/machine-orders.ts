// What can be ordered of one machine, whatever it is made of: the words of the command line, of tests and of repair.

export const machineOrders = [
  /** Starts it where it stands still. */
  'boot',
  /** Its pods are given their time, everything ends and starts again; disks stay. */
  'reboot',
  /** The same, and it begins with nothing: no images, no pods' volumes, no logs. */
  'reimage',
  /** Its power is cut and it starts as if elsewhere: disks stay, and what disturbed it is gone. Nobody is told before. */
  'redeploy',
  /** It stands still until it is booted. */
  'stop',
  /** As `stop`: nothing is paid for here. */
  'deallocate',
  /** A power cut: nobody is told, and it stands still until it is booted. */
  'kill',
  /** It hears and reaches nobody; what runs goes on. */
  'partition',
  /** Its network is slow. */
  'slow',
  /** Its disk, or its memory, is taken by somebody else. */
  'fill',
  /** Takes back partition, slow and fill. */
  'heal',
] as const
export type MachineOrder = (typeof machineOrders)[number]

export interface OrderOptions {
  /** Of `slow`: bits per second. */
  readonly bitsPerSecond?: number
  /** Of `fill`: how much stays free. */
  readonly leaveBytes?: number
  /** Of `fill`: what is taken; the disk when absent. */
  readonly resource?: 'memory' | 'disk'
}

/** The machine cannot do this now, and the message says why. */
export class MachineOrderError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MachineOrderError'
  }
}

/** Orders after which a machine is down until it is booted: nobody else starts it. */
export function holdsDown(order: MachineOrder): boolean {
  return order === 'stop' || order === 'deallocate' || order === 'kill'
}
