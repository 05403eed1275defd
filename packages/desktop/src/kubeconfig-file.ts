// Every context of a kubeconfig as a connection. A file that a person uploads may embed what it needs and nothing else: no
// path of this machine is read for it and no program run.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { promisify } from 'node:util'
import { withoutTrailingSlashes } from '@aksel/base/slashes'
import { parse } from 'yaml'

export interface ClusterConnection {
  /** The context's name. */
  readonly name: string
  /** `https://host:port`, or plain http as `kubectl proxy` serves. */
  readonly server: string
  /** The system's authorities when absent. */
  readonly caPem?: string
  readonly serverName?: string
  readonly insecure?: boolean
  readonly namespace?: string
  /** Asked before each new connection: plug-ins give short-lived ones. */
  readonly credential: () => Promise<Credential>
}

export interface Credential {
  readonly token?: string
  readonly certPem?: string
  readonly keyPem?: string
}

export interface KubeconfigContexts {
  readonly current: string | undefined
  readonly connections: readonly ClusterConnection[]
}

export interface KubeconfigTrust {
  /** Of the file, for paths in it; absent where only embedded data is believed. */
  readonly path?: string
  readonly nowMs: () => number
  /** Of the programs that the file has run. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** Throws an Error in words for the person where the text is no kubeconfig or needs what is not allowed. */
export function readKubeconfig(text: string, trust: KubeconfigTrust): KubeconfigContexts {
  let config: unknown
  try {
    config = parse(text)
  } catch (error) {
    throw new Error(`The kubeconfig is no YAML: ${(error as Error).message.split('\n')[0]}`, { cause: error })
  }
  const root = mapping(config)
  const contexts = list(root['contexts'])
  if (contexts.length === 0) throw new Error('The kubeconfig names no context.')
  return {
    current: textOf(root['current-context']),
    connections: contexts.map((entry) => connectionOf(root, entry, trust)),
  }
}

type Mapping = Readonly<Record<string, unknown>>

function connectionOf(root: Mapping, entry: Mapping, trust: KubeconfigTrust): ClusterConnection {
  const name = textOf(entry['name']) ?? ''
  const context = mapping(entry['context'])
  const cluster = named(root['clusters'], 'cluster', textOf(context['cluster']) ?? '', name)
  const user = named(root['users'], 'user', textOf(context['user']) ?? '', name)
  const server = textOf(cluster['server'])
  if (server === undefined || !/^https?:\/\//.test(server)) throw new Error(`Context "${name}" names no server.`)
  if (cluster['proxy-url'] !== undefined) throw new Error(`Context "${name}" wants a proxy, which is not supported.`)
  const caPem = data(cluster, 'certificate-authority', trust)
  const serverName = textOf(cluster['tls-server-name'])
  const namespace = textOf(context['namespace'])
  return {
    name,
    server: withoutTrailingSlashes(server),
    ...(caPem === undefined ? {} : { caPem }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { insecure: true } : {}),
    ...(namespace === undefined ? {} : { namespace }),
    credential: credentialOf(user, name, trust),
  }
}

function credentialOf(user: Mapping, name: string, trust: KubeconfigTrust): () => Promise<Credential> {
  const token = textOf(user['token'])
  if (token !== undefined) return () => Promise.resolve({ token })
  const tokenFile = textOf(user['tokenFile'])
  if (tokenFile !== undefined) {
    const path = trustedPath(tokenFile, trust)
    return () => Promise.resolve({ token: readFileSync(path, 'utf8').trim() })
  }
  if (user['exec'] !== undefined) {
    if (trust.path === undefined)
      throw new Error(`Context "${name}" runs a program to sign in. Use "./aksel desktop --kubeconfig FILE" for it.`)
    return execCredential(mapping(user['exec']), trust)
  }
  const certPem = data(user, 'client-certificate', trust)
  const keyPem = data(user, 'client-key', trust)
  if (certPem === undefined || keyPem === undefined) return () => Promise.resolve({})
  return () => Promise.resolve({ certPem, keyPem })
}

/** As `client.authentication.k8s.io` has it; what a plug-in gave is kept until it expires. */
function execCredential(exec: Mapping, trust: KubeconfigTrust): () => Promise<Credential> {
  const command = textOf(exec['command']) ?? ''
  const args = (Array.isArray(exec['args']) ? exec['args'] : []).map(String)
  const environment = Object.fromEntries(list(exec['env']).map((pair) => [String(pair['name']), String(pair['value'])]))
  const apiVersion = textOf(exec['apiVersion']) ?? 'client.authentication.k8s.io/v1'
  let kept: { readonly credential: Credential; readonly untilMs: number } | undefined
  return async () => {
    if (kept !== undefined && kept.untilMs > trust.nowMs()) return kept.credential
    const info = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: { interactive: false } })
    const { stdout } = await promisify(execFile)(command, args, {
      env: { ...trust.environment, ...environment, KUBERNETES_EXEC_INFO: info },
      timeout: 60_000,
    })
    const status = mapping(mapping(JSON.parse(stdout))['status'])
    const token = textOf(status['token'])
    const certPem = textOf(status['clientCertificateData'])
    const keyPem = textOf(status['clientKeyData'])
    const expires = Date.parse(textOf(status['expirationTimestamp']) ?? '')
    const credential = {
      ...(token === undefined ? {} : { token }),
      ...(certPem === undefined ? {} : { certPem }),
      ...(keyPem === undefined ? {} : { keyPem }),
    }
    kept = { credential, untilMs: Number.isNaN(expires) ? Number.POSITIVE_INFINITY : expires - 60_000 }
    return credential
  }
}

function data(from: Mapping, key: string, trust: KubeconfigTrust): string | undefined {
  const embedded = textOf(from[`${key}-data`])
  if (embedded !== undefined) return Buffer.from(embedded, 'base64').toString()
  const path = textOf(from[key])
  return path === undefined ? undefined : readFileSync(trustedPath(path, trust), 'utf8')
}

function trustedPath(path: string, trust: KubeconfigTrust): string {
  if (trust.path === undefined)
    throw new Error(`The kubeconfig names the file ${path}; embed its content ("kubectl config view --flatten --raw").`)
  return resolve(dirname(trust.path), path)
}

function named(entries: unknown, field: string, name: string, context: string): Mapping {
  const found = list(entries).find((entry) => entry['name'] === name)
  if (found === undefined) throw new Error(`Context "${context}" names the ${field} "${name}", which is not there.`)
  return mapping(found[field])
}

function list(value: unknown): readonly Mapping[] {
  return Array.isArray(value) ? value.map(mapping) : []
}

function mapping(value: unknown): Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Mapping) : {}
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
