// `aksel node join`: gives this host's containers to a cluster. In kubeadm's order: discover and prove the cluster, get a certificate by
// the token, become a node, run.

import { existsSync, readdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { configMaps, nodes } from '@aksel/api/resources'
import { anySignal } from '@aksel/base/any-signal'
import { systemClock } from '@aksel/base/clock'
import { ignoreReason, isReason } from '@aksel/base/errors'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { readBody } from '@aksel/client/response-body'
import { createClient } from '@aksel/client/typed-client'
import { writeDurableFile } from '@aksel/host/durable-file'
import { CertificateManager, type Certificate } from '@aksel/node/certificates/certificate-manager'
import { labelsOf } from '@aksel/node/node/node-object'
import { JOINED_LABEL, joinSettingsName, type JoinSettings } from '@aksel/provider/join-settings'
import { createRequest } from '@aksel/runtime/certificate-requests'
import { recordEvent } from '@aksel/runtime/event-recorder'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { renderKubeconfig, type ClusterAccess } from '@aksel/runtime/kubeconfig'
import { CommandError } from '../command-error.ts'
import { runningServer, readJsonFile } from '../files.ts'
import type { CliOptions } from '../options.ts'
import type { Progress } from '../progress.ts'
import { ensureSystemPackages } from '../system-packages.ts'
import { clusterInfoReader, isReady, nodeWhen, serverUrl } from './cluster-access.ts'
import { discover, parsePin, parseToken } from './discovery.ts'
import {
  addressTowards,
  holdNetwork,
  joinedFile,
  joinOverlay,
  judgeOverlay,
  machineSpec,
  openJoinedHost,
  preparedMachine,
  routeTo,
  wordsOfRoutesBefore,
  type JoinedHost,
  type JoinedRecord,
} from './joined-host.ts'

export interface JoinRequest {
  readonly server: string
  readonly token: string
  readonly discoveryTokenCaCertHash?: readonly string[]
  readonly discoveryTokenUnsafeSkipCaVerification?: boolean
  readonly nodeName?: string
  readonly nodeLabels?: Readonly<Record<string, string>>
  readonly maxPods?: number
  readonly via?: string
}

export interface RunningNode {
  readonly record: JoinedRecord
  /** What its user should know. */
  readonly said: readonly string[]
}

const CIDR_MS = 60_000
const READY_MS = 120_000
const APPROVAL_MS = 60_000

export function hostScope(): Scope {
  return { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: new AbortController().signal }
}

/** Whatever goes wrong on the way, `undo` is the caller's: what was made stands in the ledger. */
export async function joinNode(options: CliOptions, request: JoinRequest, progress: Progress): Promise<RunningNode> {
  const scope = hostScope()
  const token = parseToken(request.token)
  const pins = pinsOf(request)
  const server = serverUrl(request.server)
  const name = nodeNameOf(request)
  await using host = await openJoinedHost(scope, options, name)
  if (request.via !== undefined) await routeTo(scope, host.ledger, server.hostname, request.via)
  progress.step('Asking the cluster who it is')
  const { caPem } = await discover(clusterInfoReader(server), token, pins)
  const access: ClusterAccess = { server: server.href.replace(/\/$/, ''), caPem }
  await using transport = createHttpsTransport({ ...access, token: request.token })
  const asToken = createClient(transport, { userAgent: 'aksel' })
  progress.step('Reading how its nodes are set up')
  const settings = await settingsOf(asToken)
  await refuseLivingNode(asToken, name)
  const { overlay } = settings
  const obstacle = overlay === undefined ? undefined : await judgeOverlay(scope, settings)
  if (obstacle !== undefined)
    throw new CommandError(`The pods of this cluster cannot be reached from here: ${obstacle}.`)
  progress.step('Getting a certificate')
  const kubernetesVersion = await versionOf(asToken)
  const certificate = await certificateOf(scope, host, asToken, name)
  await using own = createHttpsTransport({ ...access, ...certificate })
  const asNode = createClient(own, { userAgent: `kubelet/v${kubernetesVersion}` })
  const labels = { [JOINED_LABEL]: 'true', ...request.nodeLabels }
  progress.step('Becoming a node')
  const podCidr = await registered(scope, asNode, { name, labels })
  const node = { name, server: access.server, kubernetesVersion, podCidr, maxPods: request.maxPods ?? 110, labels }
  const record: JoinedRecord = {
    server: access.server,
    machine: { spec: machineSpec(settings, node), address: await addressTowards(scope, server.hostname) },
    ...(request.via === undefined ? {} : { via: request.via }),
    ...(overlay === undefined ? {} : { overlay: { overlay, clusterCidr: settings.podCidr! } }),
  }
  const names = { cluster: 'default-cluster', user: `system:node:${name}`, context: 'default' }
  await writeDurableFile(host.paths.kubeconfig, renderKubeconfig({ ...access, ...certificate }, names))
  await holdNetwork(host.ledger, settings)
  const said = wordsOfRoutesBefore(await joinOverlay(scope, host.ledger, record))
  await writeDurableFile(joinedFile(options.dataDir), `${JSON.stringify(record, undefined, 1)}\n`)
  progress.step('Starting containerd and the node agent')
  const bootstrap = renderKubeconfig(
    { ...access, token: request.token },
    { cluster: 'default-cluster', user: 'tls-bootstrap' },
  )
  await host.programs.prepare(scope, { ...preparedMachine(host, record), credentials: { kubeconfig: bootstrap } })
  await host.programs.start(scope, preparedMachine(host, record))
  progress.step('Waiting until the node is Ready')
  const late = `The node "${name}" was not Ready within ${READY_MS / 1000} s; its log is ${host.paths.agentLog}`
  await nodeWhen(scope, asNode, { name, is: isReady, withinMs: READY_MS, late })
  const about = { apiVersion: 'v1', kind: 'Node', name, uid: name }
  for (const message of said)
    await recordEvent(scope, asNode, {
      about,
      type: 'Warning',
      reason: 'OverlayRouteExists',
      message,
      source: 'kubelet',
      host: name,
    })
  return { record, said }
}

/** After a restart of the host, or after `down`: the machine runs again. */
export async function startJoined(options: CliOptions): Promise<RunningNode> {
  const scope = hostScope()
  const record = readJsonFile<JoinedRecord>(joinedFile(options.dataDir))
  if (record === undefined)
    throw new CommandError(`This host has joined no cluster (there is no ${joinedFile(options.dataDir)}).`)
  await using host = await openJoinedHost(scope, options, record.machine.spec.name)
  const { via, server, machine } = record
  if (via !== undefined) await routeTo(scope, host.ledger, new URL(server).hostname, via)
  const { clusterDns, clusterDomain, serviceCidr } = machine.spec.boot
  await holdNetwork(host.ledger, { clusterDns, clusterDomain, serviceCidr })
  const said = wordsOfRoutesBefore(await joinOverlay(scope, host.ledger, record))
  await host.programs.start(scope, preparedMachine(host, record))
  return { record, said }
}

function pinsOf(request: JoinRequest): readonly string[] | undefined {
  const pins = (request.discoveryTokenCaCertHash ?? []).map(parsePin)
  if (pins.length > 0) return pins
  if (request.discoveryTokenUnsafeSkipCaVerification === true) return undefined
  throw new CommandError(
    'Which cluster is believed? Give --discovery-token-ca-cert-hash as "./aksel node token create" printed it, or --discovery-token-unsafe-skip-ca-verification to believe whoever knows the token.',
    2,
  )
}

/** As the kubelet: the host's name, lower case. */
function nodeNameOf({ nodeName }: JoinRequest): string {
  const name = (nodeName ?? hostname()).toLowerCase()
  if (/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/.test(name)) return name
  throw new CommandError(`"${name}" cannot be a node's name; choose another by --node-name.`, 2)
}

/** Throws a CommandError for a host that is to be left as it is. */
export function judgeHost(options: CliOptions): void {
  const { dataDir } = options
  refuseServersFolder(dataDir)
  const joined = readJsonFile<JoinedRecord>(joinedFile(dataDir))
  if (joined !== undefined)
    throw new CommandError(
      `This host has joined ${joined.server} as "${joined.machine.spec.name}" already. "./aksel node leave" ends that.`,
    )
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0)
    throw new CommandError(
      `${dataDir} holds something already: "node leave" would remove it. Choose another folder by --data.`,
    )
  const { realNodes, why } = ensureSystemPackages({
    isRoot: options.isRoot,
    say: (line) => void process.stderr.write(`${line}\n`),
  })
  if (!realNodes) throw new CommandError(`This host cannot be a node: ${why}.`)
}

export function refuseServersFolder(dataDir: string): void {
  if (runningServer(dataDir) !== undefined || existsSync(join(dataDir, 'store')) || existsSync(join(dataDir, 'server')))
    throw new CommandError(
      `A server lives in ${dataDir}: its machines are made by node pools. Choose another folder by --data.`,
    )
}

async function settingsOf(client: Client): Promise<JoinSettings> {
  const ref = { namespace: 'kube-system', name: joinSettingsName }
  const found = await believed(ignoreReason('NotFound', client.get(configMaps, ref)))
  const text = found?.data?.['settings']
  if (text === undefined)
    throw new CommandError(`The cluster has no ConfigMap kube-system/${joinSettingsName}: it takes no other hosts.`)
  const settings = JSON.parse(text) as JoinSettings
  if (settings.tunnelAddress === undefined)
    throw new CommandError("The cluster has simulated nodes only: no server of it can reach another host's containers.")
  if (settings.podCidr === undefined)
    throw new CommandError(
      'The pods of this cluster have addresses of a subnet of its own virtual network, which another host cannot give them. Clusters with a pod CIDR (overlay, kubenet) can be joined.',
    )
  return settings
}

/** A token that ends between two requests is refused by the second. */
async function believed<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (isReason(error, 'Unauthorized'))
      throw new CommandError('The cluster does not believe the token: it has expired, or was deleted.')
    throw error
  }
}

async function refuseLivingNode(client: Client, name: string): Promise<void> {
  const found = await believed(ignoreReason('NotFound', client.get(nodes, { name })))
  if (found !== undefined && isReady(found))
    throw new CommandError(
      `A node with the name "${name}" and status Ready is in the cluster already. Delete it there, or choose another name by --node-name.`,
    )
}

async function versionOf(client: Client): Promise<string> {
  const { body } = await client.send({ method: 'GET', path: '/version' })
  const { gitVersion } = JSON.parse(Buffer.from(await readBody(body)).toString()) as { readonly gitVersion: string }
  return gitVersion.replace(/^v/, '')
}

async function certificateOf(scope: Scope, host: JoinedHost, client: Client, name: string): Promise<Certificate> {
  const deadline = AbortSignal.timeout(APPROVAL_MS)
  const manager = new CertificateManager({
    file: join(host.paths.pki, 'kubelet-client-current.pem'),
    signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
    wanted: { commonName: `system:node:${name}`, organizations: ['system:nodes'] },
    client: () => client,
    makeRequest: (_scope, wanted) => createRequest(wanted),
  })
  try {
    return await manager.obtain({ ...scope, signal: anySignal([scope.signal, deadline]) })
  } catch (error) {
    if (!deadline.aborted) throw error
    throw new CommandError(
      `No certificate was given to the node "${name}" within ${APPROVAL_MS / 1000} s. "./aksel kubectl get csr" on the server's host tells why.`,
    )
  }
}

/** The node's range of pods, which its cluster gives it. */
async function registered(
  scope: Scope,
  client: Client,
  node: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
): Promise<string> {
  const { name } = node
  const annotations = { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' }
  await ignoreReason(
    'AlreadyExists',
    client.create(nodes, { metadata: { name, labels: labelsOf(node), annotations }, spec: {} }),
  )
  const is = ({ spec }: { readonly spec?: { readonly podCIDR?: string } }): boolean => spec?.podCIDR !== undefined
  const late = `The cluster gave the node "${name}" no pod range within ${CIDR_MS / 1000} s: its pod CIDR may be used up.`
  return (await nodeWhen(scope, client, { name, is, withinMs: CIDR_MS, late })).spec!.podCIDR!
}
