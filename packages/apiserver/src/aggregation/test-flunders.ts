// For tests: an API server of another make that serves flunders, with a storage of its own, over HTTPS. It believes who the user
// is only from a caller whose certificate the authority signed that the cluster's ConfigMap names.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import { createAuthority, issue } from '@aksel/runtime/pki'
import type { TestServer } from '../test-server.ts'

export const groupVersion = 'wardle.example.com/v1alpha1'
export const root = `/apis/${groupVersion}`

type Flunder = Record<string, unknown> & { metadata: Record<string, unknown> }

export interface SampleServer extends AsyncDisposable {
  readonly port: number
  readonly caBundle: string
  /** `METHOD PATH as USER in GROUP,GROUP` of every request for flunders. */
  readonly seen: readonly string[]
  /** Tells every watch of an object. */
  announce(type: string, name: string): void
  /** From now on, discovery answers this status. */
  fail(status: number): void
}

const resources = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion,
  resources: [
    {
      name: 'flunders',
      singularName: 'flunder',
      namespaced: true,
      kind: 'Flunder',
      verbs: ['create', 'delete', 'get', 'list', 'watch'],
      shortNames: ['flu'],
    },
    { name: 'flunders/status', singularName: '', namespaced: true, kind: 'Flunder', verbs: ['get'] },
  ],
}

const openApi = {
  openapi: '3.0.0',
  info: { title: 'wardle', version: 'v1' },
  paths: {},
  components: { schemas: { 'com.example.wardle.v1alpha1.Flunder': { type: 'object', description: 'A flunder.' } } },
}

const openApiV2 = {
  swagger: '2.0',
  info: { title: 'wardle', version: 'v1' },
  paths: { [`${root}/namespaces/{namespace}/flunders`]: { get: { operationId: 'listFlunders' } }, '/healthz': {} },
  definitions: { 'com.example.wardle.v1alpha1.Flunder': { type: 'object', description: 'A flunder.' } },
}

export async function startSampleServer(test: TestServer): Promise<SampleServer> {
  const configuration = await test.ask('/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication')
  const data = configuration.json['data'] as Readonly<Record<string, string>>
  const authority = await createAuthority(test.scope, { commonName: 'wardle-ca', years: 1 })
  const serving = await issue(test.scope, authority, {
    commonName: 'wardle',
    dnsNames: ['sample-api.default.svc'],
    usages: ['server'],
    days: 1,
  })
  const seen: string[] = []
  const flunders = new Map<string, Flunder>()
  const watches = new Set<ServerResponse>()
  let discoveryStatus = 200

  const flunderCall = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url!, 'https://sample')
    const groups = [request.headersDistinct['x-remote-group'] ?? []].flat().toSorted()
    seen.push(`${request.method} ${request.url} as ${String(request.headers['x-remote-user'])} in ${groups.join(',')}`)
    const name = pathname.split('/').at(-1)!
    if (request.method === 'POST') {
      const flunder = JSON.parse(await text(request)) as Flunder
      flunder.metadata['uid'] = `uid-${flunders.size}`
      flunders.set(String(flunder.metadata['name']), flunder)
      json(response, 201, flunder)
    } else if (searchParams.get('watch') === 'true' || searchParams.get('watch') === '1') {
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
      watches.add(response)
    } else if (name === 'flunders') {
      json(response, 200, {
        kind: 'FlunderList',
        apiVersion: groupVersion,
        metadata: {},
        items: [...flunders.values()],
      })
    } else if (flunders.has(name)) {
      json(response, 200, flunders.get(name))
      if (request.method === 'DELETE') flunders.delete(name)
    } else {
      json(response, 404, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404, reason: 'NotFound' })
    }
  }

  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const isProxy = (request.socket as TLSSocket).authorized
    const { pathname } = new URL(request.url!, 'https://sample')
    if (!isProxy) json(response, 401, { kind: 'Status', code: 401 })
    else if (pathname === root) json(response, discoveryStatus, resources)
    else if (pathname === '/openapi/v3')
      json(response, 200, { paths: { [root.slice(1)]: { serverRelativeURL: `/openapi/v3${root}?hash=ABC` } } })
    else if (pathname === `/openapi/v3${root}`) json(response, 200, openApi)
    else if (pathname === '/openapi/v2') json(response, 200, openApiV2)
    else void flunderCall(request, response)
  }

  const options = {
    cert: serving.certificatePem,
    key: serving.keyPem,
    ca: data['requestheader-client-ca-file']!,
    requestCert: true,
    rejectUnauthorized: false,
  }
  const server = createServer(options, serve)
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    seen.push(`upgrade ${request.url} as ${String(request.headers['x-remote-user'])}`)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n')
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    caBundle: Buffer.from(authority.certificatePem).toString('base64'),
    seen,
    announce(type, name) {
      for (const response of watches) response.write(`${JSON.stringify({ type, object: flunders.get(name) })}\n`)
    },
    fail(status) {
      discoveryStatus = status
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
