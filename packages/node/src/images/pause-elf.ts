// The program of the pause image, assembled by hand, so that building it needs no compiler: it holds a pod's
// namespaces, reaps its orphans and ends on SIGTERM.

const BASE = 0x400000
const HEADERS_BYTES = 64 + 56

const SIGINT = 2
const SIGTERM = 15
const SIGCHLD = 17

const SIG_IGN = 1
/** Without it the kernel refuses to deliver on x86-64; the restorer itself is never reached. */
const SA_RESTORER = 0x04000000

export type PauseArchitecture = 'amd64' | 'arm64'

/**
 * A static ELF executable of a few hundred bytes that does:
 *
 *     sigaction(SIGTERM, exit(0)); sigaction(SIGINT, exit(0))   // process 1 ignores what it does not handle
 *     sigaction(SIGCHLD, SIG_IGN)                               // the kernel then reaps children, adopted ones too
 *     for (;;) pause()
 */
export function pauseElf(architecture: PauseArchitecture): Uint8Array {
  const size = architecture === 'amd64' ? codeBytesAmd64 : codeBytesArm64
  const exitAction = BASE + HEADERS_BYTES + size
  const ignoreAction = exitAction + 32
  const { code, handler } =
    architecture === 'amd64' ? codeAmd64(exitAction, ignoreAction) : codeArm64(exitAction, ignoreAction)
  if (code.length !== size) throw new Error(`The pause program has ${code.length} bytes instead of ${size}`)
  const body = Buffer.concat([code, action(handler, SA_RESTORER), action(SIG_IGN, 0)])
  return Buffer.concat([headers(architecture, body.length), body])
}

/** The kernel's `struct sigaction`: handler, flags, restorer, mask, 64 bits each. */
function action(handler: number, flags: number): Buffer {
  const bytes = Buffer.alloc(32)
  bytes.writeBigUInt64LE(BigInt(handler), 0)
  bytes.writeBigUInt64LE(BigInt(flags), 8)
  bytes.writeBigUInt64LE(BigInt(handler === SIG_IGN ? 0 : handler), 16)
  return bytes
}

const codeBytesAmd64 = 3 * 24 + 9 + 9

function codeAmd64(exitAction: number, ignoreAction: number): { code: Buffer; handler: number } {
  const sigaction = (signal: number, address: number): readonly (readonly number[])[] => [
    [0xb8, ...word(13)], // mov eax, rt_sigaction
    [0xbf, ...word(signal)], // mov edi, signal
    [0xbe, ...word(address)], // mov esi, action
    [0x31, 0xd2], // xor edx, edx
    [0x6a, 8, 0x41, 0x5a], // push 8; pop r10
    [0x90], // nop
    [0x0f, 0x05], // syscall
  ]
  const instructions = [
    ...sigaction(SIGTERM, exitAction),
    ...sigaction(SIGINT, exitAction),
    ...sigaction(SIGCHLD, ignoreAction),
    [0xb8, ...word(34), 0x0f, 0x05, 0xeb, 0xf7], // again: mov eax, pause; syscall; jmp again
    [0xb8, ...word(231), 0x31, 0xff, 0x0f, 0x05], // handler: mov eax, exit_group; xor edi, edi; syscall
  ]
  const code = Buffer.from(instructions.flat())
  return { code, handler: BASE + HEADERS_BYTES + 3 * 24 + 9 }
}

const codeBytesArm64 = (3 * 6 + 7 + 3) * 4

function codeArm64(exitAction: number, ignoreAction: number): { code: Buffer; handler: number } {
  const start = BASE + HEADERS_BYTES
  const mov = (register: number, value: number): number => (0xd2800000 | (value << 5) | register) >>> 0
  const svc = 0xd4000001
  const words: number[] = []
  const adr = (register: number, target: number): number => {
    const distance = target - (start + words.length * 4)
    return (0x10000000 | ((distance & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5) | register) >>> 0
  }
  for (const [signal, address] of [
    [SIGTERM, exitAction],
    [SIGINT, exitAction],
    [SIGCHLD, ignoreAction],
  ] as const) {
    words.push(mov(8, 134), mov(0, signal))
    words.push(adr(1, address))
    words.push(mov(2, 0), mov(3, 8), svc) // rt_sigaction(signal, action, 0, 8)
  }
  words.push(mov(8, 73), mov(0, 0), mov(1, 0), mov(2, 0), mov(3, 0), svc) // again: ppoll(0, 0, 0, 0)
  words.push(0x17fffffa) // b again
  const handler = start + words.length * 4
  words.push(mov(8, 94), mov(0, 0), svc) // exit_group(0)
  const code = Buffer.alloc(words.length * 4)
  words.forEach((value, index) => code.writeUInt32LE(value, index * 4))
  return { code, handler }
}

function word(value: number): readonly number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff]
}

/** ELF header and one program header: the whole file, readable and executable, at BASE. */
function headers(architecture: PauseArchitecture, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(HEADERS_BYTES)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0])
  bytes.writeUInt16LE(2, 16) // executable
  bytes.writeUInt16LE(architecture === 'amd64' ? 62 : 183, 18)
  bytes.writeUInt32LE(1, 20)
  bytes.writeBigUInt64LE(BigInt(BASE + HEADERS_BYTES), 24) // entry
  bytes.writeBigUInt64LE(64n, 32) // program headers
  bytes.writeUInt16LE(64, 52)
  bytes.writeUInt16LE(56, 54)
  bytes.writeUInt16LE(1, 56)
  const total = BigInt(HEADERS_BYTES + bodyBytes)
  bytes.writeUInt32LE(1, 64) // load
  bytes.writeUInt32LE(5, 68) // read, execute
  bytes.writeBigUInt64LE(0n, 72)
  bytes.writeBigUInt64LE(BigInt(BASE), 80)
  bytes.writeBigUInt64LE(BigInt(BASE), 88)
  bytes.writeBigUInt64LE(total, 96)
  bytes.writeBigUInt64LE(total, 104)
  bytes.writeBigUInt64LE(0x10000n, 112)
  return bytes
}
