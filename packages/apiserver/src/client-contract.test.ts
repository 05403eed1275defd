// The client's contract over both transports: in process and over TLS.

import { after, before, suite, test } from 'node:test'
import type { Client } from '@aksel/client/client'
import { clientContract } from '@aksel/client/contract'
import { createClient } from '@aksel/client/typed-client'
import { namespaces } from '@aksel/api/resources'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { admin, clientCertificate, listenForTest, startTestServer, type TestServer } from './test-server.ts'

interface Opened extends AsyncDisposable {
  readonly client: Client
}

const transports: Readonly<Record<string, (server: TestServer) => Promise<Opened>>> = {
  'in process': async (server) => ({ client: server.client(), async [Symbol.asyncDispose]() {} }),
  'over TLS': async (server) => {
    const { url } = await listenForTest(server)
    const { certificatePem, keyPem } = await clientCertificate(server, admin)
    const access = { server: url, caPem: server.authority.certificatePem, certPem: certificatePem, keyPem }
    const transport = createHttpsTransport(access)
    return { client: createClient(transport), [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose]() }
  },
}

for (const [name, open] of Object.entries(transports)) {
  void suite(`a client ${name}`, () => {
    let server: TestServer
    let opened: Opened
    before(async () => {
      server = await startTestServer()
      opened = await open(server)
    })
    after(async () => {
      await opened[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })
    for (const [at, one] of clientContract.entries()) {
      void test(one.name, async () => {
        const namespace = `case-${at}`
        await opened.client.create(namespaces, { metadata: { name: namespace }, spec: {} })
        await one.check(opened.client, namespace)
      })
    }
  })
}
