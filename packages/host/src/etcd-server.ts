// etcd as tests and benchmarks start it: Debian's program on free loopback addresses, data in a folder that is removed. One member or three,
// with TLS and users where asked.

import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync, existsSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface EtcdMember {
  readonly name: string
  readonly clientPort: number
  readonly peerPort: number
  /** Undefined while it does not run. */
  process: ChildProcess | undefined
}

export interface EtcdServer extends AsyncDisposable {
  /** Those that belong to it now. */
  readonly members: readonly EtcdMember[]
  readonly directory: string
  /** `etcd://127.0.0.1:…,…`, with the options that reach it. */
  readonly url: string
  /** Starts a member that was killed, on its data. */
  restart(member: EtcdMember): Promise<void>
  /** Ends it at once, as a crash does. */
  kill(member: EtcdMember): Promise<void>
  /** Takes a member (by its id, in hex) out for good and puts a new one in its place, with no data. */
  replace(member: EtcdMember, id: string): Promise<EtcdMember>
  /** Runs etcdctl against it and returns what it printed; rejects when it fails. */
  control(...args: readonly string[]): Promise<string>
}

export interface EtcdServerOptions {
  readonly members?: number
  readonly tls?: boolean
  /** Who is asked for a name and a password may use the keys below this prefix, and nothing else. */
  readonly userBelow?: string
  /** More flags for each member. */
  readonly flags?: readonly string[]
  /** Where peers find each other, when something stands between them: the URL that others use for this member. */
  readonly advertisedPeerPort?: (member: number, peerPort: number) => Promise<number>
}

export function hasEtcd(): boolean {
  return existsSync('/usr/bin/etcd') && existsSync('/usr/bin/etcdctl')
}

/** Rejects where Debian's etcd-server and etcd-client are not installed. */
export async function startEtcd(options: EtcdServerOptions = {}): Promise<EtcdServer> {
  if (!hasEtcd()) throw new Error('This test needs the Debian packages etcd-server and etcd-client')
  const directory = mkdtempSync(join(tmpdir(), 'aksel-etcd-'))
  const tls = options.tls === true ? makeCertificates(directory) : undefined
  const members: EtcdMember[] = []
  const advertised: number[] = []
  for (let i = 0; i < (options.members ?? 1); i++) {
    const [clientPort, peerPort] = await freePorts(2)
    members.push({ name: `m${i}`, clientPort: clientPort!, peerPort: peerPort!, process: undefined })
    advertised.push((await options.advertisedPeerPort?.(i, peerPort!)) ?? peerPort!)
  }
  const cluster = (): string => members.map(({ name }, i) => `${name}=http://127.0.0.1:${advertised[i]}`).join(',')
  const scheme = tls === undefined ? 'http' : 'https'
  const start = (member: EtcdMember, state: 'new' | 'existing'): Promise<void> => {
    const client = `${scheme}://127.0.0.1:${member.clientPort}`
    const args = [
      ['--name', member.name],
      ['--data-dir', join(directory, member.name)],
      ['--listen-client-urls', client],
      ['--advertise-client-urls', client],
      ['--listen-peer-urls', `http://127.0.0.1:${member.peerPort}`],
      ['--initial-advertise-peer-urls', `http://127.0.0.1:${advertised[members.indexOf(member)]}`],
      ['--initial-cluster', cluster()],
      ['--initial-cluster-state', state],
      ['--log-level', 'error'],
      ['--logger', 'zap'],
      ...(tls === undefined
        ? []
        : [
            ['--cert-file', tls.cert],
            ['--key-file', tls.key],
          ]),
      ...(options.flags ?? []).map((flag) => [flag]),
    ].flat()
    return startMember(member, args)
  }
  const passwordFile = join(directory, 'password')
  const access = [
    ...(tls === undefined ? [] : [`ca=${tls.ca}`]),
    ...(options.userBelow === undefined ? [] : [`user=${userName}`, `password-file=${passwordFile}`]),
  ].join('&')
  let isGuarded = false
  const host = tls === undefined ? '127.0.0.1' : 'localhost'
  const endpoints = (): readonly string[] => members.map(({ clientPort }) => `${host}:${clientPort}`)
  const server: EtcdServer = {
    members,
    directory,
    url: `etcd://${endpoints().join(',')}${access === '' ? '' : `${options.userBelow ?? '/aksel/'}?${access}`}`,
    restart: (member) => start(member, 'existing'),
    kill,
    async replace(member, id) {
      await kill(member)
      const at = members.indexOf(member)
      const [, peerPort] = await freePorts(2)
      // The client port stays, as a name in DNS would: those who know it find the new member.
      const next: EtcdMember = { ...member, name: `${member.name}n`, peerPort: peerPort!, process: undefined }
      members.splice(at, 1)
      await server.control('member', 'remove', id)
      members.splice(at, 0, next)
      advertised[at] = (await options.advertisedPeerPort?.(at, peerPort!)) ?? peerPort!
      members.splice(at, 1)
      await accepted(() => server.control('member', 'add', next.name, `--peer-urls=http://127.0.0.1:${advertised[at]}`))
      members.splice(at, 0, next)
      await start(next, 'existing')
      return next
    },
    async control(...args) {
      const flags = [
        '--endpoints',
        endpoints()
          .map((endpoint) => `${scheme}://${endpoint}`)
          .join(','),
      ]
      if (tls !== undefined) flags.push('--cacert', tls.ca)
      if (isGuarded) flags.push('--user', `root:${rootPassword}`)
      // Never synchronously: what stands between the members may run in this very process.
      const { stdout } = await run('/usr/bin/etcdctl', [...flags, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 })
      return stdout
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(members.map(kill))
      rmSync(directory, { recursive: true, force: true })
    },
  }
  try {
    await Promise.all(members.map((member) => start(member, 'new')))
    if (options.userBelow !== undefined) {
      writeFileSync(passwordFile, userPassword, { mode: 0o600 })
      await guard(server, options.userBelow)
      isGuarded = true
    }
    return server
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }
}

const rootPassword = 'of-root'
const userName = 'aksel'
const userPassword = 'of-aksel'

/** Turns authentication on: from now on nobody reads or writes without a name. */
async function guard(server: EtcdServer, prefix: string): Promise<void> {
  const steps = [
    ['user', 'add', `root:${rootPassword}`],
    ['user', 'grant-role', 'root', 'root'],
    ['role', 'add', 'below'],
    ['role', 'grant-permission', 'below', '--prefix=true', 'readwrite', prefix],
    ['user', 'add', `${userName}:${userPassword}`],
    ['user', 'grant-role', userName, 'below'],
    ['auth', 'enable'],
  ]
  for (const step of steps) await server.control(...step)
}

const ADD_TRIES = 60

/** etcd takes no new member until those it has were connected for five seconds. */
async function accepted(add: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await add()
      return
    } catch (error) {
      if (attempt === ADD_TRIES || !/unhealthy cluster/.test(String(error))) throw error
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

async function kill(member: EtcdMember): Promise<void> {
  const { process: child } = member
  if (child === undefined) return
  member.process = undefined
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** Resolves when the member says that it serves clients. */
async function startMember(member: EtcdMember, args: readonly string[]): Promise<void> {
  const readyArgs = args.map((arg, i) => (args[i - 1] === '--log-level' ? 'info' : arg))
  const child = spawn('/usr/bin/etcd', readyArgs, {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  member.process = child
  let said = ''
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  child.stderr.on('data', (piece: Buffer) => {
    said = (said + piece.toString()).slice(-20_000)
    if (/ready to serve client requests|serving client (?:traffic|requests)/.test(said)) resolve()
  })
  child.on('error', reject)
  child.on('exit', (code) => reject(new Error(`etcd ended with ${code}: ${said.slice(-2_000)}`)))
  await promise
}

/**
 * Ports that nobody listens on. They are below those that the kernel gives to outgoing connections, of which one would otherwise
 * take a port between this look and the member's start.
 */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers: Server[] = []
  for (let tries = 0; servers.length < count && tries < 100; tries += 1) {
    const server = createServer().listen(randomInt(20_000, 30_000), '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (isFree) servers.push(server)
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  if (ports.length < count) throw new Error('no port between 20000 and 30000 is free')
  return ports
}

function makeCertificates(directory: string): { readonly ca: string; readonly cert: string; readonly key: string } {
  const path = (name: string): string => join(directory, name)
  const openssl = (...args: readonly string[]): void => {
    const result = spawnSync('openssl', [...args], { encoding: 'utf8' })
    if (result.status !== 0) throw new Error(`openssl ${args[0]}: ${result.stderr}`)
  }
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...ec, '-keyout', path('ca.key'), '-out', path('ca.crt'), '-subj', '/CN=ca', '-days', '2')
  openssl('req', ...ec, '-keyout', path('server.key'), '-out', path('server.csr'), '-subj', '/CN=etcd')
  writeFileSync(
    path('server.ext'),
    'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n',
  )
  const signing = ['-CA', path('ca.crt'), '-CAkey', path('ca.key'), '-CAcreateserial', '-days', '2']
  openssl(
    'x509',
    '-req',
    '-in',
    path('server.csr'),
    ...signing,
    '-extfile',
    path('server.ext'),
    '-out',
    path('server.crt'),
  )
  return { ca: path('ca.crt'), cert: path('server.crt'), key: path('server.key') }
}
