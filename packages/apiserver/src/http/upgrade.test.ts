// A connection that asks to be upgraded and is refused gets a whole answer on the bare socket, Status and all.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { admin, clientCertificate, listenForTest, startTestServer } from '../test-server.ts'

void test('an upgrade for a pod that is not there is answered 404 with its Status', async () => {
  await using server = await startTestServer({
    nodeConnector: { open: () => Promise.reject(new Error('no node is asked')) },
  })
  const { port } = await listenForTest(server)
  const { certificatePem, keyPem } = await clientCertificate(server, admin)
  const socket = connect({
    host: '127.0.0.1',
    port,
    ca: server.authority.certificatePem,
    cert: certificatePem,
    key: keyPem,
    ALPNProtocols: ['http/1.1'],
  })
  socket.write(
    [
      'GET /api/v1/namespaces/default/pods/web/exec?command=sh&stdout=true HTTP/1.1',
      'Host: 127.0.0.1',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol: v5.channel.k8s.io',
      '\r\n',
    ].join('\r\n'),
  )
  let text = ''
  for await (const piece of socket) text += String(piece)
  const [head = '', body = ''] = text.split('\r\n\r\n')
  assert.match(head, /^HTTP\/1\.1 404 Not Found\r\n/)
  const { reason, message } = JSON.parse(body) as { readonly reason: string; readonly message: string }
  assert.deepEqual([reason, message], ['NotFound', 'pods "web" not found'])
})
