// A kubeconfig must mean the same to us and to a YAML reader.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { parseKubeconfig, renderKubeconfig } from './kubeconfig.ts'
import type { ClusterAccess } from './kubeconfig.ts'

const access: ClusterAccess = {
  server: 'https://127.1.2.3:443',
  caPem: '-----BEGIN CERTIFICATE-----\nca\n-----END CERTIFICATE-----\n',
  certPem: 'cert\n',
  keyPem: 'key\n',
  token: '0123',
  serverName: 'demo.aksel.local',
}

test('what renderKubeconfig() writes, parseKubeconfig() reads', async () => {
  const text = renderKubeconfig(access, { cluster: 'demo', user: 'clusterUser_aksel_demo' })
  assert.deepEqual(await parseKubeconfig(text), access)
  assert.deepEqual(await parseKubeconfig(JSON.stringify(parse(text))), access)
})

test('renderKubeconfig() quotes names that YAML would read as something else', () => {
  const config = parse(renderKubeconfig(access, { cluster: 'true', user: '17', context: 'a: b' })) as {
    'current-context': string
    users: { name: string }[]
  }
  assert.equal(config['current-context'], 'a: b')
  assert.equal(config.users[0]?.name, '17')
})

test('parseKubeconfig() says what is missing', async () => {
  await assert.rejects(parseKubeconfig('apiVersion: v1\n'), /current-context is missing/)
  const text = renderKubeconfig(access, { cluster: 'demo', user: 'u' }).replace('name: u\n', 'name: other\n')
  await assert.rejects(parseKubeconfig(text), /no user is named "u"/)
})
