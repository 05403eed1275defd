// `sample-apiserver`: an API server of another make, with flunders in a storage of its own. It asks its caller for the client
// certificate of an aggregator, as the cluster's ConfigMap names its authority, and believes the user that the headers name.

import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request } from 'node:https'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import type { Flags } from './flags.ts'

type Json = Record<string, unknown>
type Flunder = Json & { metadata: Json & { name: string; namespace: string } }

interface Asked {
  readonly method: string
  readonly body: () => Promise<string>
  readonly user: string
  /** '' for all. */
  readonly namespace: string
  /** '' for the collection. */
  readonly name: string
}

type Answer = readonly [status: number, body: unknown]

const account = '/var/run/secrets/kubernetes.io/serviceaccount'
const configuration = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication'
const groupVersion = 'wardle.example.com/v1alpha1'
const flunderPath = new RegExp(`^/apis/${groupVersion}(?:/namespaces/([^/]+))?/flunders(?:/([^/]+))?$`)

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list']
const resources = [{ name: 'flunders', singularName: 'flunder', namespaced: true, kind: 'Flunder', verbs }]

export async function sampleApiServer(flags: Flags): Promise<void> {
  const { data } = (await read(configuration)) as { readonly data: Readonly<Record<string, string>> }
  const tls = {
    cert: readFileSync(flags.text('tls-cert-file', '')),
    key: readFileSync(flags.text('tls-private-key-file', '')),
    ca: data['requestheader-client-ca-file']!,
    requestCert: true,
    rejectUnauthorized: false,
  }
  const flunders = new Flunders()
  const server = createServer(tls, (incoming, response) => {
    answer(flunders, incoming)
      .catch((error: Error): Answer => failure(500, 'InternalError', error.message))
      .then(([status, body]) => send(response, status, body))
      .catch((error: Error) => response.destroy(error))
  })
  server.listen(flags.number('secure-port', 443))
}

async function answer(flunders: Flunders, incoming: IncomingMessage): Promise<Answer> {
  const { pathname } = new URL(incoming.url ?? '/', 'https://sample')
  if (pathname === '/readyz') return [200, { status: 'ok' }]
  if (!(incoming.socket as TLSSocket).authorized) return failure(401, 'Unauthorized', 'Unauthorized')
  const user = String(incoming.headers['x-remote-user'])
  process.stdout.write(`${incoming.method} ${incoming.url} ${user}\n`)
  if (pathname === `/apis/${groupVersion}`)
    return [200, { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources }]
  const found = flunderPath.exec(pathname)
  if (found === null) return failure(404, 'NotFound', 'the server could not find the requested resource')
  const [, namespace = '', name = ''] = found
  return flunders.answer({ method: incoming.method ?? 'GET', body: () => text(incoming), user, namespace, name })
}

class Flunders {
  readonly #stored = new Map<string, Flunder>()
  #version = 1

  async answer(asked: Asked): Promise<Answer> {
    const key = `${asked.namespace}/${asked.name}`
    const chosen = [...this.#stored].filter(
      ([of, { metadata }]) =>
        (asked.namespace === '' || metadata.namespace === asked.namespace) && (asked.name === '' || of === key),
    )
    if (asked.method === 'POST') return this.#create(asked)
    if (asked.name !== '' && chosen.length === 0)
      return failure(404, 'NotFound', `flunders.wardle.example.com "${asked.name}" not found`)
    if (asked.method === 'DELETE') {
      for (const [of] of chosen) this.#stored.delete(of)
      return [200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' }]
    }
    const items = chosen.map(([, flunder]) => flunder)
    if (asked.name !== '') return [200, items[0]]
    const metadata = { resourceVersion: String(this.#version) }
    return [200, { kind: 'FlunderList', apiVersion: groupVersion, metadata, items }]
  }

  async #create({ body, user, namespace }: Asked): Promise<Answer> {
    const flunder = JSON.parse(await body()) as Flunder
    const key = `${namespace}/${flunder.metadata.name}`
    if (this.#stored.has(key))
      return failure(409, 'AlreadyExists', `flunders.wardle.example.com "${flunder.metadata.name}" already exists`)
    this.#version += 1
    const annotations = { 'wardle.example.com/user': user }
    const own = { namespace, uid: `flunder-${this.#version}`, resourceVersion: String(this.#version), annotations }
    const stored = { ...flunder, metadata: { ...flunder.metadata, ...own } }
    this.#stored.set(key, stored)
    return [201, stored]
  }
}

function failure(code: number, reason: string, message: string): Answer {
  return [code, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code }]
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** As the pod's own account. */
function read(path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: process.env['KUBERNETES_SERVICE_HOST'],
        port: process.env['KUBERNETES_SERVICE_PORT'],
        path,
        ca: readFileSync(`${account}/ca.crt`),
        headers: { authorization: `Bearer ${readFileSync(`${account}/token`, 'utf8')}` },
      },
      (response) => {
        text(response)
          .then((body) => {
            if (response.statusCode === 200) resolve(JSON.parse(body))
            else reject(new Error(`GET ${path}: ${response.statusCode} ${body}`))
          })
          .catch(reject)
      },
    )
    call.on('error', reject)
    call.end()
  })
}
