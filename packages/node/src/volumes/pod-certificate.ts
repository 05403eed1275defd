// Certificates that a pod's volumes ask signers for: a key and a request each, the answer waited for, and both made anew before
// they end. Of one pod, as long as its worker lives; what an agent before it wrote goes on serving until the next one comes.

import { X509Certificate } from 'node:crypto'
import { nodes, podCertificateRequests, podCertificateRequestsAlpha, serviceAccounts } from '@aksel/api/resources'
import type { PodCertificateRequest } from '@aksel/api/types/certificates-v1beta1'
import type { Pod, PodCertificateProjection } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { createPodKey } from './certificate-key.ts'

export interface Credential {
  readonly keyPem: string
  readonly chainPem: string
}

export interface CertificateNews {
  readonly reason: string
  readonly message: string
}

export interface CertificateHost {
  readonly client: Client
  readonly nodeName: string
  /** `1.35`: which form of request the API knows. */
  readonly minor: string
  tell(pod: Pod, news: CertificateNews): void
}

export interface CertificateQuestion {
  readonly pod: Pod
  readonly projection: PodCertificateProjection
  /** Of the projection within its pod. */
  readonly key: string
  /** The node's; undefined where they could not be read. */
  readonly requests: readonly PodCertificateRequest[] | undefined
  /** What stands in the pod's files. */
  readonly written: () => Promise<Credential | undefined>
}

interface Current extends Credential {
  readonly refreshAtMs: number
  readonly notAfterMs: number
}

interface Pending {
  readonly name: string
  readonly keyPem: string
  /** Missing then, it was deleted: until then, it may be on its way. */
  readonly missingAtMs: number
}

interface State {
  current?: Current
  pending?: Pending
  /** For good. */
  refusal?: string
  readonly told: Set<string>
}

const MISSING_MS = 10 * 60_000
const OVERDUE_MS = 10 * 60_000
/** Many pods' certificates of one hour are not asked for in one. */
const JITTER_MS = 5 * 60_000

export class PodCertificates {
  readonly #states = new Map<string, State>()

  /** Rejects in upstream's words as long as there is none; asked again whenever requests change, and at `refreshAtMs`. */
  async credential(
    scope: Scope,
    host: CertificateHost,
    question: CertificateQuestion,
  ): Promise<Credential & { readonly refreshAtMs: number }> {
    const state = await this.#stateOf(scope, question)
    if (question.requests === undefined)
      throw new Error('PodCertificateRequests cannot be read: certificates.k8s.io does not serve them in this cluster')
    this.#take(scope, host, question, state)
    const now = scope.clock.now()
    const isDue = state.current === undefined || now >= state.current.refreshAtMs
    if (state.refusal === undefined && state.pending === undefined && isDue) {
      state.pending = await this.#ask(scope, host, question)
    }
    if (state.refusal !== undefined) throw new Error(state.refusal)
    const { current, pending } = state
    if (current === undefined) throw new Error('credential bundle is not issued yet')
    this.#warn(host, question.pod, state, now)
    return { ...current, refreshAtMs: pending === undefined ? current.refreshAtMs : nextLook(current, pending, now) }
  }

  async #stateOf(scope: Scope, { key, written }: CertificateQuestion): Promise<State> {
    const known = this.#states.get(key)
    if (known !== undefined) return known
    const state: State = { told: new Set() }
    const found = await written()
    const notAfterMs = found === undefined ? undefined : endOf(found)
    // When its signer wanted it renewed is not known any more: now.
    if (found !== undefined && notAfterMs !== undefined)
      state.current = { ...found, notAfterMs, refreshAtMs: scope.clock.now() }
    this.#states.set(key, state)
    return state
  }

  /** What has become of the request. */
  #take(scope: Scope, host: CertificateHost, { pod, requests = [] }: CertificateQuestion, state: State): void {
    const { pending } = state
    if (pending === undefined) return
    const namespace = pod.metadata.namespace ?? 'default'
    const request = requests.find(({ metadata }) => metadata.name === pending.name && metadata.namespace === namespace)
    if (request === undefined) {
      if (scope.clock.now() > pending.missingAtMs) delete state.pending
      return
    }
    const name = `${namespace}/${pending.name}`
    for (const { type, reason, message } of request.status?.conditions ?? []) {
      if (type === 'Denied' || type === 'Failed') {
        const why = `reason=${JSON.stringify(reason)} message=${JSON.stringify(message)}`
        state.refusal = `PodCertificateRequest was permanently ${type.toLowerCase()}: ${why}`
        host.tell(pod, {
          reason: type,
          message: `PodCertificateRequest ${name} ${type === 'Denied' ? 'was denied' : 'failed'}, reason=${JSON.stringify(reason)}, message=${JSON.stringify(message)}`,
        })
        delete state.pending
        return
      }
      if (type !== 'Issued') continue
      const { certificateChain = '', beginRefreshAt = '', notAfter = '' } = request.status ?? {}
      state.current = {
        keyPem: pending.keyPem,
        chainPem: cleanChain(certificateChain),
        refreshAtMs: Date.parse(beginRefreshAt) + jitterMs(scope),
        notAfterMs: Date.parse(notAfter),
      }
      state.told.clear()
      delete state.pending
      return
    }
  }

  async #ask(scope: Scope, host: CertificateHost, { pod, projection }: CertificateQuestion): Promise<Pending> {
    const { client, nodeName, minor } = host
    const { name, namespace = 'default', uid = '' } = pod.metadata
    const serviceAccountName = pod.spec.serviceAccountName ?? 'default'
    const [account, node] = await Promise.all([
      client.get(serviceAccounts, { namespace, name: serviceAccountName }),
      client.get(nodes, { name: nodeName }),
    ])
    const key = await createPodKey(projection.keyType, uid)
    const { signerName, maxExpirationSeconds, userAnnotations } = projection
    const hasStub = !['1.34', '1.35'].includes(minor)
    const request: PodCertificateRequest = {
      metadata: {
        name: '',
        generateName: 'req-',
        namespace,
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid }],
      },
      spec: {
        signerName,
        podName: name,
        podUID: uid,
        serviceAccountName,
        serviceAccountUID: account.metadata.uid ?? '',
        nodeName,
        nodeUID: node.metadata.uid ?? '',
        ...(maxExpirationSeconds === undefined ? {} : { maxExpirationSeconds }),
        ...(hasStub
          ? { stubPKCS10Request: (await key.stubRequest()).toString('base64') }
          : { pkixPublicKey: key.publicKey.toString('base64'), proofOfPossession: key.proof.toString('base64') }),
        ...(userAnnotations === undefined || minor === '1.34' ? {} : { unverifiedUserAnnotations: userAnnotations }),
      },
    }
    const made = await client.create(requestsOf(minor), request)
    const missingAtMs = scope.clock.now() + MISSING_MS + jitterMs(scope)
    return { name: made.metadata.name, keyPem: key.keyPem, missingAtMs }
  }

  #warn(host: CertificateHost, pod: Pod, { current, told }: State, now: number): void {
    const tell = (reason: string, message: string): void => {
      if (told.has(reason)) return
      told.add(reason)
      host.tell(pod, { reason, message })
    }
    if (now > current!.refreshAtMs + OVERDUE_MS) tell('CertificateOverdueForRefresh', 'PodCertificate refresh overdue')
    if (now > current!.notAfterMs) tell('CertificateExpired', 'PodCertificate expired')
  }
}

/** The form that the minor's API serves, where it is switched on. */
export function requestsOf(minor: string): typeof podCertificateRequests {
  return minor === '1.34' ? podCertificateRequestsAlpha : podCertificateRequests
}

/** While a request waits, what is to be told or done next without a change of it. */
function nextLook({ refreshAtMs, notAfterMs }: Current, { missingAtMs }: Pending, now: number): number {
  const times = [refreshAtMs + OVERDUE_MS, notAfterMs, missingAtMs].filter((time) => time >= now)
  return (times.length === 0 ? now + OVERDUE_MS : Math.min(...times)) + 1
}

function jitterMs({ random }: Scope): number {
  const [high = 0, low = 0] = random.nextBytes(2)
  return ((high * 256 + low) / 65_536) * JITTER_MS
}

const block = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** Without headers and what stands between certificates. */
function cleanChain(pem: string): string {
  return (pem.match(block) ?? []).map((one) => new X509Certificate(one).toString()).join('')
}

/** Of the pod's own certificate; undefined where the files hold none. */
function endOf({ chainPem }: Credential): number | undefined {
  try {
    return new X509Certificate(chainPem).validToDate.getTime()
  } catch {
    return undefined
  }
}

const keyBlock = /-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----\n?/

/** Key and chain out of the files' texts; undefined where one is missing. Pure. */
export function parseCredential(texts: readonly string[]): Credential | undefined {
  const all = texts.join('\n')
  const [keyPem] = keyBlock.exec(all) ?? []
  const chain = all.match(block) ?? []
  return keyPem === undefined || chain.length === 0 ? undefined : { keyPem, chainPem: `${chain.join('\n')}\n` }
}
