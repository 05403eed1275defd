// What the kernel logs of packets (nfnetlink_log), as tcpdump hands it on: a pcap stream whose frames are lists of fields.

export interface LoggedPacket {
  /** Wall time. */
  readonly timeMs: number
  /** What the rule says that logged it. */
  readonly prefix: string
  /** From the IP header on, cut to what the rule copies. */
  readonly payload: Buffer
}

/** argv of the program that writes the stream to its standard output. */
export function tcpdumpArgv(group: number): readonly string[] {
  return ['tcpdump', '-i', `nflog:${group}`, '-Z', 'root', '-U', '-w', '-']
}

const FILE_HEADER_BYTES = 24
const FRAME_HEADER_BYTES = 16
/** linux/netfilter/nfnetlink_log.h */
const NFULA_PAYLOAD = 9
const NFULA_PREFIX = 10

/** Cuts the stream into packets. The program runs on this machine, so numbers have the byte order that this one has. */
export class NflogReader {
  #rest: Buffer = Buffer.alloc(0)
  #hasHeader = false

  push(chunk: Buffer): readonly LoggedPacket[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    if (!this.#hasHeader) {
      if (this.#rest.length < FILE_HEADER_BYTES) return []
      this.#rest = this.#rest.subarray(FILE_HEADER_BYTES)
      this.#hasHeader = true
    }
    const packets: LoggedPacket[] = []
    while (this.#rest.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + this.#rest.readUInt32LE(8)
      if (this.#rest.length < end) break
      const timeMs = this.#rest.readUInt32LE(0) * 1000 + Math.floor(this.#rest.readUInt32LE(4) / 1000)
      const packet = readFrame(this.#rest.subarray(FRAME_HEADER_BYTES, end), timeMs)
      if (packet !== undefined) packets.push(packet)
      this.#rest = this.#rest.subarray(end)
    }
    return packets
  }
}

/** Family, version and resource in four bytes; then fields: length, type, value, padded to four bytes. */
function readFrame(frame: Buffer, timeMs: number): LoggedPacket | undefined {
  let prefix = ''
  let payload: Buffer | undefined
  for (let at = 4; at + 4 <= frame.length;) {
    const length = frame.readUInt16LE(at)
    if (length < 4) break
    const type = frame.readUInt16LE(at + 2)
    if (type === NFULA_PAYLOAD) payload = frame.subarray(at + 4, at + length)
    if (type === NFULA_PREFIX) prefix = frame.toString('latin1', at + 4, at + length).replace(/\0+$/, '')
    at += Math.ceil(length / 4) * 4
  }
  return payload === undefined ? undefined : { timeMs, prefix, payload }
}
