// The whole way of a stream: the real kubectl, our relays, the tunnel, an agent in its own network namespace, containerd.
// The API in between is the least that kubectl asks for. Needs root.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, watch, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { Server } from 'node:https'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import { ApiError } from '@aksel/base/errors'
import { startContainerd } from '@aksel/node/testing/containerd-harness'
import type { ContainerdHarness } from '@aksel/node/testing/containerd-harness'
import { testScope } from '@aksel/node/testing/test-scope'
import { renderKubeconfig } from '@aksel/runtime/kubeconfig'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { openTunnelServer } from '@aksel/runtime/tunnel-server'
import type { TunnelServer } from '@aksel/runtime/tunnel-server'
import type { ConnectCall, ConnectHandler } from '../connect-handler.ts'
import { kubernetesTool } from '@aksel/host/kubernetes-tools'
import { kubectlOf } from '../test-kubectl.ts'
import { createConnectHandler } from './handler.ts'

const scope = testScope()
const undo: (() => unknown)[] = []
let harness: ContainerdHarness
let tunnel: TunnelServer
let kubeconfig: string
let program: string
/** kubectl 1.20, which knows no WebSocket. */
let oldProgram: string
let handler: ConnectHandler

/** `main` serves HTTP on loopback and all addresses, logs and waits; `shell-tty` is an interactive shell. */
const containers = [
  {
    name: 'main',
    stdin: false,
    command:
      'echo one; echo two >&2; echo hello > /tmp/index.html; httpd -p 127.0.0.1:8080 -h /tmp; httpd -p 8081 -h /tmp; echo three; exec sleep 3600',
  },
  { name: 'shell-tty', stdin: true, command: 'exec sh' },
  { name: 'short', stdin: false, command: 'echo first; echo gone' },
]

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', uid: 'u1' },
  spec: {
    nodeName: 'n1',
    containers: containers.map(({ name, stdin }) => ({ name, image: 'busybox', stdin, tty: stdin })),
  },
  status: { phase: 'Running' },
}

async function startPod(): Promise<string> {
  const { runtime, directory, cgroupRoot } = harness
  const namespaceOptions = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const
  const security = {
    namespaceOptions,
    supplementalGroups: [],
    privileged: false,
    seccomp: { profileType: 'RuntimeDefault' },
  } as const
  const sandbox = {
    metadata: { name: 'web', uid: 'u1', namespace: 'default', attempt: 0 },
    hostname: 'web',
    logDirectory: join(directory, 'logs'),
    dnsConfig: { servers: [], searches: [], options: [] },
    portMappings: [],
    labels: {},
    annotations: {},
    linux: { cgroupParent: `${cgroupRoot}/pod`, securityContext: security, sysctls: {} },
  }
  const id = await runtime.runPodSandbox(sandbox, '')
  for (const { name, stdin, command } of containers) {
    const config = {
      metadata: { name, attempt: 0 },
      image: { image: 'docker.io/library/busybox:1.36' },
      command: ['sh', '-c', command],
      args: [],
      workingDir: '/',
      envs: [],
      mounts: [],
      devices: [],
      labels: {},
      annotations: {},
      logPath: `${name}/0.log`,
      stdin,
      stdinOnce: false,
      tty: stdin,
      linux: {
        resources: { oomScoreAdj: 1000 },
        securityContext: {
          ...security,
          capabilities: { addCapabilities: [], dropCapabilities: [] },
          readonlyRootfs: false,
          noNewPrivs: false,
          maskedPaths: [],
          readonlyPaths: [],
        },
      },
    }
    await runtime.startContainer(await runtime.createContainer(id, config, sandbox))
  }
  return (await runtime.podSandboxStatus(id)).network?.ip ?? ''
}

/** The few answers without which kubectl does not begin. */
function discovery(path: string): object | undefined {
  const verbs = ['get', 'create']
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: [] }
  if (path === '/api/v1') {
    const resources = [{ name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs }]
    return { kind: 'APIResourceList', groupVersion: 'v1', resources }
  }
  return path === '/api/v1/namespaces/default/pods/web' ? pod : undefined
}

async function answer(
  request: IncomingMessage,
  upgrade?: { socket: Duplex; head: Buffer },
): Promise<Response | undefined> {
  const url = new URL(request.url ?? '/', 'https://api')
  const found = discovery(url.pathname)
  if (found !== undefined) return Response.json(found)
  const match = /^\/api\/v1\/namespaces\/(\w+)\/pods\/([\w:]+)\/(log|exec|attach|portforward|proxy)(.*)$/.exec(
    url.pathname,
  )
  if (match === null) return Response.json(new ApiError('NotFound', 'no such path').toStatus(), { status: 404 })
  const gone = new AbortController()
  request.socket.once('close', () => gone.abort(new Error('the client left')))
  const call: ConnectCall = {
    resource: 'pods',
    subresource: match[3] as ConnectCall['subresource'],
    namespace: match[1]!,
    name: match[2]!,
    proxyPath: match[4]!,
    method: request.method ?? 'GET',
    query: url.searchParams,
    headers: request.headers as Record<string, string>,
    body: request,
    signal: gone.signal,
    ...(upgrade === undefined ? {} : { upgrade }),
  }
  try {
    const response = await handler(scope, call)
    if (response === 'upgraded') return undefined
    return new Response(ReadableStream.from(response.body), { status: response.status, headers: response.headers })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return Response.json(error.toStatus(), { status: error.code })
  }
}

async function startApi(tls: { readonly cert: string; readonly key: string }): Promise<Server> {
  const server = createServer(tls)
  server.on('request', (request, response) => {
    void answer(request).then(
      async (answered) => {
        response.writeHead(answered?.status ?? 500, Object.fromEntries(answered?.headers ?? []))
        response.flushHeaders()
        for await (const chunk of answered?.body ?? []) response.write(chunk)
        response.end()
      },
      () => response.destroy(),
    )
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void answer(request, { socket, head }).then(async (answered) => {
      if (answered === undefined) return
      const body = Buffer.from(await answered.arrayBuffer())
      socket.end(
        `HTTP/1.1 ${answered.status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body.toString()}`,
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

before(async () => {
  program = await kubernetesTool(join(import.meta.dirname, '../../../..'), 'kubectl')
  oldProgram = await kubectlOf('1.20')
  harness = await startContainerd(scope)
  const authority = await createAuthority(scope, { commonName: 'ca', years: 1 })
  const days = 1
  const serving = await issue(scope, authority, {
    commonName: 's',
    dnsNames: ['kubernetes'],
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days,
  })
  const node = await issue(scope, authority, {
    commonName: 'system:node:n1',
    organizations: ['system:nodes'],
    usages: ['client'],
    days,
  })
  const caPem = authority.certificatePem
  const tunnelSocket = join(harness.directory, 't.sock')
  tunnel = await openTunnelServer(scope, {
    socketPath: tunnelSocket,
    tls: { certPem: serving.certificatePem, keyPem: serving.keyPem, caPem },
    waitMs: 0,
  })
  const directory = join(harness.directory, 'pipes')
  mkdirSync(directory)
  const agentProgram = join(import.meta.dirname, '../../../node/src/testing/streams-agent.ts')
  const agent = spawn('nsenter', [`--net=/run/netns/${harness.networkNamespace}`, process.execPath, agentProgram], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  undo.push(async () => {
    agent.kill('SIGKILL')
    await once(agent, 'exit')
  })
  agent.stdin.end(
    JSON.stringify({
      tunnelSocket,
      tls: { certPem: node.certificatePem, keyPem: node.keyPem, caPem },
      containerdSocket: harness.socketPath,
      directory,
    }),
  )
  await once(agent.stdout, 'data')
  const podIP = await startPod()
  const objects = {
    get: async () => ({ ...pod, status: { ...pod.status, podIP } }) as never,
    list: () => Promise.reject(new Error('nothing is listed here')),
  }
  handler = createConnectHandler({ nodes: tunnel.connector, objects })
  const api = await startApi({ cert: serving.certificatePem, key: serving.keyPem })
  undo.push(() => {
    api.close()
    api.closeAllConnections()
  })
  kubeconfig = join(harness.directory, 'kubeconfig')
  const server = `https://127.0.0.1:${(api.address() as AddressInfo).port}`
  writeFileSync(kubeconfig, renderKubeconfig({ server, caPem, token: 't' }, { cluster: 'c', user: 'u' }))
})

after(async () => {
  for (const step of undo.reverse()) await step()
  await tunnel[Symbol.asyncDispose]()
  await harness[Symbol.asyncDispose]()
  scope[Symbol.dispose]()
})

/** `isOld`: the one of 1.20. */
interface KubectlOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly isOld?: boolean
}

function kubectl(
  args: readonly string[],
  { env = {}, isOld = false }: KubectlOptions = {},
): ChildProcessWithoutNullStreams {
  const home = join(harness.directory, 'home')
  return spawn(isOld ? oldProgram : program, ['--kubeconfig', kubeconfig, ...args], {
    env: { PATH: process.env['PATH'], HOME: home, ...env },
  })
}

async function resultOf(
  child: ChildProcessWithoutNullStreams,
  input: string | Buffer = '',
): Promise<{ out: string; err: string; code: number | null }> {
  child.stdin.end(input)
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { out, err, code: code as number | null }
}

test('kubectl logs shows both streams, a tail, a follow that ends with its container, and refuses to guess', async () => {
  const following = kubectl(['logs', '-f', 'web', '-c', 'main'])
  let seen = ''
  for await (const chunk of following.stdout) {
    seen += String(chunk)
    if (['one\n', 'two\n', 'three\n'].every((line) => seen.includes(line))) break
  }
  following.kill('SIGTERM')
  assert.equal((await resultOf(kubectl(['logs', '-f', 'web', '-c', 'short']))).out, 'first\ngone\n')
  assert.equal((await resultOf(kubectl(['logs', 'web', '-c', 'short', '--tail=1']))).out, 'gone\n')
  const vague = await resultOf(kubectl(['get', '--raw', '/api/v1/namespaces/default/pods/web/log']))
  assert.equal(
    vague.err,
    'Error from server (BadRequest): a container name must be specified for pod web, choose one of: [main shell-tty short]\n',
  )
  const previous = await resultOf(kubectl(['logs', '-p', 'web', '-c', 'main']))
  assert.equal(
    previous.err,
    'Error from server (BadRequest): previous terminated container "main" in pod "web" not found\n',
  )
})

for (const [protocol, how] of [
  ['WebSocket', {}],
  ['SPDY', { env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' } }],
  ['SPDY as kubectl 1.20 speaks it', { isOld: true }],
] as const) {
  test(`kubectl exec over ${protocol} passes input to its end, output, error output and the exit code`, async () => {
    const script = 'cat; echo err >&2; exit 3'
    const result = await resultOf(
      kubectl(['exec', '-i', 'web', '-c', 'main', '--', 'sh', '-c', script], how),
      'input\n',
    )
    assert.deepEqual(result, { out: 'input\n', err: 'err\ncommand terminated with exit code 3\n', code: 3 })
    const big = Buffer.alloc(3_000_000, 'x')
    const counted = await resultOf(kubectl(['exec', '-i', 'web', '-c', 'main', '--', 'wc', '-c'], how), big)
    assert.equal(counted.out.trim(), '3000000')
    const sent = await resultOf(
      kubectl(['exec', 'web', '-c', 'main', '--', 'dd', 'if=/dev/zero', 'bs=1M', 'count=5'], how),
    )
    assert.equal(sent.out.length, 5 * 1024 * 1024)
  })

  test(`kubectl exec over ${protocol} says what runc says where the command does not exist`, async () => {
    const { err, code } = await resultOf(kubectl(['exec', 'web', '-c', 'main', '--', 'nonsense'], how))
    assert.match(err, /exec: "nonsense": executable file not found in \$PATH/)
    assert.equal(code, 1)
    const gone = await resultOf(kubectl(['exec', 'web', '-c', 'short', '--', 'sh'], how))
    assert.match(gone.err, /container not found \("short"\)/)
  })

  test(`kubectl port-forward over ${protocol} reaches a server on the pod's loopback address, often and at once`, async () => {
    const child = kubectl(['port-forward', 'pod/web', ':8080'], how)
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(line.toString())?.[1])
      const get = async (): Promise<string> => {
        const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
        socket.end('GET / HTTP/1.0\r\n\r\n')
        return (await buffer(socket)).toString().split('\r\n\r\n')[1] ?? ''
      }
      assert.equal(await get(), 'hello\n')
      assert.deepEqual(
        await Promise.all(Array.from({ length: 10 }, get)),
        Array.from({ length: 10 }, () => 'hello\n'),
      )
    } finally {
      child.kill('SIGTERM')
      await once(child, 'close')
    }
  })

  test(`kubectl port-forward over ${protocol} says that nobody listens`, async () => {
    const child = kubectl(['port-forward', 'pod/web', ':9999'], how)
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      const socket = connect({ port: Number(/127\.0\.0\.1:(\d+)/.exec(line.toString())?.[1]), host: '127.0.0.1' })
      socket.on('error', () => {})
      const [complaint] = (await once(child.stderr, 'data')) as [Buffer]
      assert.match(
        complaint.toString(),
        /an error occurred forwarding .* -> 9999: error forwarding port 9999 to pod u1, uid : failed to connect to localhost:9999 inside namespace \\*"u1\\*": exit status 1: can't connect to remote host/,
      )
    } finally {
      child.kill('SIGTERM')
      await once(child, 'close')
    }
  })

  test(`kubectl attach over ${protocol} reaches the container's own shell`, async () => {
    const child = kubectl(['attach', '-i', 'web', '-c', 'shell-tty'], how)
    const lines: string[] = []
    child.stdin.write('echo a$((40+2))b\n')
    for await (const chunk of child.stdout) {
      lines.push(String(chunk))
      if (lines.join('').includes('a42b')) break
    }
    child.kill('SIGTERM')
    assert.match(lines.join(''), /a42b/)
  })
}

test('kubectl exec -it gives a terminal of the size of the one it runs in, and the exit code', async () => {
  const inside = 'until [ "$(stty size)" = "31 101" ]; do sleep 0.05; done; tty; echo $TERM; exit 4'
  const command = `stty cols 101 rows 31; ${program} --kubeconfig ${kubeconfig} exec -it web -c main -- sh -c '${inside}'`
  const child = spawn('script', ['-qec', command, '/dev/null'])
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  assert.match(out, /\/dev\/pts\/\d+\r+\nxterm/)
  assert.equal(code, 4)
})

test('a kubectl that is killed leaves no process and no pipe on the node', async () => {
  const pipes = join(harness.directory, 'pipes')
  const child = kubectl(['exec', '-i', 'web', '-c', 'main', '--', 'sh', '-c', 'echo $$; exec sleep 3600'])
  const [inside] = (await once(child.stdout, 'data')) as [Buffer]
  assert.equal(readdirSync(pipes).length, 1)
  const removed = new Promise<void>((resolve) => {
    const watcher = watch(pipes, () => {
      if (readdirSync(pipes).length > 0) return
      watcher.close()
      resolve()
    })
  })
  child.kill('SIGKILL')
  await removed
  const alive = await resultOf(kubectl(['exec', 'web', '-c', 'main', '--', 'kill', '-0', inside.toString().trim()]))
  assert.match(alive.err, /No such process/)
})

test('a command on a node that is not connected fails as it does on AKS', async () => {
  const other = createConnectHandler({
    nodes: tunnel.connector,
    objects: {
      get: async () => ({ ...pod, spec: { ...pod.spec, nodeName: 'n2' } }) as never,
      list: () => Promise.reject(new Error('nothing is listed here')),
    },
  })
  const connected = handler
  handler = other
  try {
    const { err } = await resultOf(kubectl(['exec', 'web', '-c', 'main', '--', 'true']))
    assert.equal(err, 'Error from server: error dialing backend: no tunnel to node "n2"\n')
    const log = await resultOf(kubectl(['logs', 'web', '-c', 'main']))
    assert.equal(log.err, 'Error from server: error dialing backend: no tunnel to node "n2"\n')
  } finally {
    handler = connected
  }
})

test('a proxy path reaches the pod through its node', async () => {
  const result = await resultOf(kubectl(['get', '--raw', '/api/v1/namespaces/default/pods/web:8081/proxy/index.html']))
  assert.equal(result.out, 'hello\n')
  const refused = await resultOf(kubectl(['get', '--raw', '/api/v1/namespaces/default/pods/web:9/proxy/']))
  assert.match(refused.err, /dial tcp [\d.]+:9: connect: connection refused/)
})
