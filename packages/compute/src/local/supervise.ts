// Keeps a machine's programs running when the server is gone: a small shell loop per program, in the machine's
// network namespace and cgroup, in the part that systemd plays on an AKS node.

import { describeHeld, holding, type HeldSocket } from './held-sockets.ts'

export interface SupervisedProgram {
  readonly argv: readonly string[]
  /** Set in the program's environment. */
  readonly environment?: Readonly<Record<string, string>>
  /** Takes the program's process id, rewritten at each start. */
  readonly pidPath: string
  readonly restartDelaySeconds: number
  /** It lives in a UTS namespace of its own with this name, and whatever it starts: who has the host's names sees the machine's. */
  readonly hostName?: string
  /** Sockets that it inherits at each start; told in AKSEL_SOCKETS. */
  readonly sockets?: readonly HeldSocket[]
}

/**
 * The argv of the loop. It is started in the machine's cgroup and writes to its parent's output. Without a network namespace
 * it runs in that of whoever starts it.
 */
export function supervisedArgv(program: SupervisedProgram, networkNamespace: string | undefined): readonly string[] {
  const sockets = program.sockets ?? []
  const told = sockets.length === 0 ? {} : { AKSEL_SOCKETS: describeHeld(sockets) }
  const environment = Object.entries({ ...program.environment, ...told }).map(
    ([name, value]) => `export ${name}=${quote(value)}`,
  )
  const { hostName } = program
  const script = [
    ...(hostName === undefined ? [] : [`echo ${quote(hostName)} > /proc/sys/kernel/hostname`]),
    ...environment,
    'while :; do',
    `  ${program.argv.map(quote).join(' ')} &`,
    `  echo $! > ${quote(program.pidPath)}`,
    '  wait $!',
    `  sleep ${program.restartDelaySeconds}`,
    'done',
  ].join('\n')
  return [
    ...(networkNamespace === undefined ? [] : ['nsenter', `--net=/run/netns/${networkNamespace}`]),
    ...(hostName === undefined ? [] : ['unshare', '--uts']),
    ...holding(sockets),
    '/bin/sh',
    '-c',
    script,
  ]
}

/** One word for a POSIX shell, whatever it holds. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
