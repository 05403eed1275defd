// Shows, by asking the server, which stages the benchmark's requests pass. A row without authentication, RBAC,
// validation and audit would measure something that no user has: it is refused.

import { connect } from 'node:tls'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { readBody } from '@aksel/client/response-body'
import type { Transport } from '@aksel/client/transport'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import type { ClusterAccess } from '@aksel/runtime/kubeconfig'
import { CommandError } from '../command-error.ts'

export const stageNames = [
  'tls',
  'authentication',
  'rbac',
  'flowControl',
  'admission',
  'validation',
  'audit',
  'durability',
] as const
export type StageName = (typeof stageNames)[number]

export interface Stage {
  readonly ran: boolean
  /** What was seen. */
  readonly evidence: string
}

export type StageReport = Readonly<Record<StageName, Stage>>

/** For what no request of the API has part in. */
export function noStages(evidence: string): StageReport {
  return Object.fromEntries(stageNames.map((name) => [name, { ran: false, evidence }])) as unknown as StageReport
}

const needed: readonly StageName[] = ['tls', 'authentication', 'rbac', 'validation', 'audit']

/** Throws unless every stage that no benchmark may go around was seen. */
export function assertWholePath(report: StageReport): void {
  const missing = needed.filter((name) => !report[name].ran)
  if (missing.length === 0) return
  const why = missing.map((name) => `${name} (${report[name].evidence})`).join(', ')
  throw new CommandError(`This benchmark's requests do not pass every stage, so its figures mean nothing: ${why}`)
}

export interface StageQuestion {
  /** With the credentials that the benchmark's requests carry. */
  readonly access: ClusterAccess
  /** Where that user may do everything; it may do nothing elsewhere. */
  readonly namespace: string
  readonly serviceAccount: string
  /** Sent as user agent and used as a name; unlike any other in the cluster. */
  readonly mark: string
  /** The audit log so far, a JSON event a line. */
  readonly auditLog: () => Promise<string>
  /** The log is written behind the answers: how long entries may take to appear. */
  readonly auditPatienceMs: number
  /** Whether the store's files hold this text. */
  readonly isStored: (text: string) => Promise<boolean>
}

export async function proveStages(scope: Scope, question: StageQuestion): Promise<StageReport> {
  const { access, namespace, mark } = question
  const { server, caPem, serverName } = access
  // A credential that nobody issued: without any, a request may go on as system:anonymous.
  const wrong = { server, caPem, token: 'wrong', ...(serverName === undefined ? {} : { serverName }) }
  await using stranger = createHttpsTransport(wrong)
  await using user = createHttpsTransport(access)
  const ask = (transport: Transport, method: string, path: string, body?: unknown): Promise<Answer> =>
    askOnce(transport, { method, path, mark, body })
  const within = `/api/v1/namespaces/${namespace}`
  const unknown = await ask(stranger, 'GET', `${within}/configmaps`)
  const known = await ask(user, 'GET', `${within}/configmaps`)
  const forbidden = await ask(user, 'GET', '/api/v1/namespaces/kube-system/secrets')
  const invalid = await ask(user, 'POST', `${within}/configmaps`, { metadata: { name: 'Bad_Name' } })
  const admitted = await ask(user, 'POST', `${within}/pods?dryRun=All`, podOf(question))
  const created = await ask(user, 'POST', `${within}/configmaps`, { metadata: { name: mark } })
  const entries = await auditEntries(scope, question, 6)
  const stored = created.status === 201 && (await question.isStored(mark))
  return {
    tls: await tlsStage(access),
    authentication: {
      ran: unknown.status === 401 && known.status === 200,
      evidence: `with a wrong token ${unknown.status}, with its own ${known.status}`,
    },
    rbac: { ran: forbidden.status === 403, evidence: `secrets of kube-system: ${forbidden.status}` },
    flowControl: seatStage(entries),
    admission: {
      ran: admitted.text.includes('kube-api-access-'),
      evidence: `a pod gets its token volume: ${admitted.status}`,
    },
    validation: { ran: invalid.status === 422, evidence: `a bad name: ${invalid.status}` },
    audit: { ran: entries.length >= 6, evidence: `${entries.length} of 6 requests stand in the audit log` },
    durability: {
      ran: stored,
      evidence: stored ? 'an acknowledged object stands in the store’s files' : 'not found in the store’s files',
    },
  }
}

interface Answer {
  readonly status: number
  readonly text: string
}

async function askOnce(
  transport: Transport,
  request: { readonly method: string; readonly path: string; readonly mark: string; readonly body: unknown },
): Promise<Answer> {
  const { method, path, mark, body } = request
  const response = await transport.send({
    method,
    path,
    headers: { 'user-agent': mark, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
  })
  return { status: response.status, text: Buffer.from(await readBody(response.body)).toString() }
}

function podOf({ mark, serviceAccount }: StageQuestion): unknown {
  const containers = [{ name: 'c', image: 'docker.io/library/busybox:1.36' }]
  return { metadata: { name: mark }, spec: { serviceAccountName: serviceAccount, containers } }
}

async function tlsStage({ server, caPem, serverName }: ClusterAccess): Promise<Stage> {
  const url = new URL(server)
  if (url.protocol !== 'https:') return { ran: false, evidence: `the server's URL is ${server}` }
  const { promise, resolve } = Promise.withResolvers<Stage>()
  const socket = connect({
    host: url.hostname,
    port: Number(url.port || 443),
    ca: caPem,
    ...(serverName === undefined ? {} : { servername: serverName }),
  })
  socket.once('secureConnect', () =>
    resolve({ ran: socket.authorized, evidence: `${socket.getProtocol()}, ${socket.getCipher().name}` }),
  )
  socket.once('error', (error) => resolve({ ran: false, evidence: error.message }))
  const stage = await promise
  socket.destroy()
  return stage
}

interface AuditEntry {
  readonly userAgent?: string
  readonly user?: { readonly username?: string; readonly groups?: readonly string[] }
}

/** Members of system:masters go around RBAC and take no seat. */
function seatStage(entries: readonly AuditEntry[]): Stage {
  const users = entries.map(({ user }) => user).filter((user) => user?.username !== undefined)
  const ordinary = users.length > 0 && users.every((user) => user?.groups?.includes('system:masters') !== true)
  const name = users.at(-1)?.username ?? 'nobody'
  return {
    ran: ordinary,
    evidence: ordinary ? `${name} is not of system:masters, so its requests take seats` : `${name} takes no seat`,
  }
}

/** Waits until all entries are there, or patience is at its end. */
async function auditEntries(scope: Scope, question: StageQuestion, wanted: number): Promise<readonly AuditEntry[]> {
  const startedMs = scope.clock.monotonicMs()
  for (;;) {
    const lines = (await question.auditLog()).split('\n').slice(0, -1)
    const entries = lines
      .filter((line) => line.includes(question.mark))
      .map((line) => JSON.parse(line) as AuditEntry)
      .filter(({ userAgent }) => userAgent === question.mark)
    if (entries.length >= wanted || scope.clock.monotonicMs() - startedMs > question.auditPatienceMs) return entries
    await sleep(scope.clock, 20, scope.signal)
  }
}
