// Gets a certificate for the node from its cluster and keeps it fresh: asks, waits until it is approved and signed, asks anew
// before it runs out. The file outlives the agent; keys never leave the node.

import { readFile } from 'node:fs/promises'
import { certificateSigningRequests } from '@aksel/api/resources'
import type { CertificateSigningRequest } from '@aksel/api/types/certificates-v1'
import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import { fraction } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { writeDurableFile } from '@aksel/host/durable-file'
import { rotationDueMs, validityOf } from './rotation.ts'

/** PEM texts. */
export interface Certificate {
  readonly certPem: string
  readonly keyPem: string
}

export interface WantedCertificate {
  readonly commonName: string
  readonly organizations: readonly string[]
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
}

/** Makes a key and a PKCS #10 request for it, both PEM. */
export type MakeRequest = (
  scope: Scope,
  wanted: WantedCertificate,
) => Promise<{ readonly requestPem: string; readonly keyPem: string }>

export interface CertificateManagerOptions {
  /** Certificate and key in one PEM file. */
  readonly file: string
  readonly signerName: 'kubernetes.io/kube-apiserver-client-kubelet' | 'kubernetes.io/kubelet-serving'
  readonly wanted: WantedCertificate
  /** Asked for every request: who asks first is not who asks later. */
  readonly client: () => Client
  readonly makeRequest: MakeRequest
  readonly onRenewed?: (certificate: Certificate) => void | Promise<void>
}

const purposes = {
  'kubernetes.io/kube-apiserver-client-kubelet': 'client auth',
  'kubernetes.io/kubelet-serving': 'server auth',
} as const

/** As long as the kubelet waits for an approval before it asks with a new request. */
const APPROVAL_MS = 15 * 60_000
const RETRY_MS = { first: 2_000, most: 32_000 }
const REWATCH_MS = 1_000

export class CertificateManager {
  readonly #options: CertificateManagerOptions
  #current: Certificate | undefined

  constructor(options: CertificateManagerOptions) {
    this.#options = options
  }

  /** The last one that was given, valid or not. */
  get current(): Certificate | undefined {
    return this.#current
  }

  /** Takes up what an earlier agent got; nothing where that has run out or cannot be read. */
  async load(scope: Scope, otherwise?: Certificate): Promise<Certificate | undefined> {
    const kept = await readCertificate(this.#options.file)
    this.#current = [kept, otherwise].find((one) => one !== undefined && isValid(one, scope.clock.now()))
    return this.#current
  }

  /** Resolves with a valid certificate; tries until the scope aborts. */
  async obtain(scope: Scope): Promise<Certificate> {
    const { clock, signal, log } = scope
    for (let waitMs = RETRY_MS.first; ; waitMs = Math.min(2 * waitMs, RETRY_MS.most)) {
      try {
        return await this.#request(scope)
      } catch (error) {
        if (signal.aborted) throw error
        log.warn('no certificate was given', { signer: this.#options.signerName, error, waitMs })
        await sleep(clock, waitMs, signal)
      }
    }
  }

  /** Renews until the scope aborts; a certificate that ran out is asked for at once. */
  async run(scope: Scope): Promise<void> {
    const { clock, signal } = scope
    while (!signal.aborted) {
      const validity = this.#current === undefined ? undefined : validityOf(this.#current.certPem)
      const dueMs = validity === undefined ? 0 : rotationDueMs(validity, fraction(scope.random))
      try {
        // A timer holds no more than some weeks.
        for (let leftMs = dueMs - clock.now(); leftMs > 0; leftMs = dueMs - clock.now())
          await sleep(clock, Math.min(leftMs, DAY_MS), signal)
        await this.obtain(scope)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  async #request(scope: Scope): Promise<Certificate> {
    const { client: clientOf, signerName, wanted, makeRequest, file, onRenewed } = this.#options
    const { requestPem, keyPem } = await makeRequest(scope, wanted)
    const client = clientOf()
    const created = await client.create(certificateSigningRequests, {
      metadata: { name: '', generateName: 'csr-' },
      spec: {
        request: Buffer.from(requestPem).toString('base64'),
        signerName,
        usages: ['digital signature', purposes[signerName]],
      },
    } as CertificateSigningRequest)
    const certificate: Certificate = { certPem: await issued(scope, client, created), keyPem }
    await writeDurableFile(file, certificate.certPem + certificate.keyPem, 0o600)
    this.#current = certificate
    scope.log.info('a certificate was given', { signer: signerName, request: created.metadata.name })
    await onRenewed?.(certificate)
    return certificate
  }
}

const DAY_MS = 86_400_000

/** The certificate, PEM. Rejects when the request was denied, failed or left lying. */
async function issued(scope: Scope, client: Client, created: CertificateSigningRequest): Promise<string> {
  const late = new AbortController()
  const { name } = created.metadata
  using _timer = scope.clock.after(APPROVAL_MS, () =>
    late.abort(new Error(`request "${name}" was not approved within ${APPROVAL_MS / 60_000} minutes`)),
  )
  const signal = anySignal([scope.signal, late.signal])
  let known = created
  while (true) {
    const given = certificateIn(known)
    if (given !== undefined) return given
    try {
      const from = known.metadata.resourceVersion
      const query = { fieldSelector: `metadata.name=${name}`, ...(from === undefined ? {} : { resourceVersion: from }) }
      for await (const { type, object } of client.watch(certificateSigningRequests, { ...query, signal })) {
        if (type === 'BOOKMARK') continue
        if (type === 'DELETED') throw new Refused(`request "${name}" was deleted`)
        known = object
        const text = certificateIn(object)
        if (text !== undefined) return text
      }
    } catch (error) {
      if (error instanceof Refused) throw error
      signal.throwIfAborted()
    }
    signal.throwIfAborted()
    await sleep(scope.clock, REWATCH_MS, signal)
    known = await client.get(certificateSigningRequests, { name })
  }
}

class Refused extends Error {}

function certificateIn({ metadata, status }: CertificateSigningRequest): string | undefined {
  const verdict = status?.conditions?.find(({ type }) => type === 'Denied' || type === 'Failed')
  if (verdict !== undefined)
    throw new Refused(`request "${metadata.name}" ${verdict.type}: ${verdict.reason ?? ''} ${verdict.message ?? ''}`)
  const { certificate = '' } = status ?? {}
  return certificate === '' ? undefined : Buffer.from(certificate, 'base64').toString('latin1')
}

async function readCertificate(file: string): Promise<Certificate | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const at = text.search(/-----BEGIN [A-Z ]*PRIVATE KEY-----/)
  return at <= 0 ? undefined : { certPem: text.slice(0, at), keyPem: text.slice(at) }
}

function isValid({ certPem }: Certificate, nowMs: number): boolean {
  const validity = validityOf(certPem)
  return validity !== undefined && nowMs < validity.notAfterMs
}
