// Whom a host that joins believes, and in which words it refuses the others.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { detachedSignature } from '@aksel/controllers/bootstrap-token/token-secret'
import { createAuthority } from '@aksel/runtime/pki'
import { discover, parsePin, parseToken, pinOf, type ClusterInfo } from './discovery.ts'

const scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}
const token = parseToken('abcdef.0123456789abcdef')

async function cluster(): Promise<{ readonly info: ClusterInfo; readonly caPem: string }> {
  const { certificatePem: caPem } = await createAuthority(scope, { commonName: 'ca', years: 1 })
  const data = Buffer.from(caPem).toString('base64')
  const kubeconfig = JSON.stringify({
    clusters: [{ name: '', cluster: { server: 'https://100.65.0.1:443', 'certificate-authority-data': data } }],
  })
  return { caPem, info: { kubeconfig, 'jws-kubeconfig-abcdef': detachedSignature(kubeconfig, token) } }
}

test('discover() believes what the token signed and the pin names, and asks again under that authority', async () => {
  const { info, caPem } = await cluster()
  const asked: (string | undefined)[] = []
  const read = async (ca: string | undefined): Promise<ClusterInfo> => {
    asked.push(ca)
    return info
  }
  const found = await discover(read, token, [pinOf(caPem)])
  assert.deepEqual([found.server, found.caPem, asked], ['https://100.65.0.1:443', caPem, [undefined, caPem]])
})

test('discover() refuses an unknown or ended token, a wrong secret, a wrong pin and a changed document', async () => {
  const { info, caPem } = await cluster()
  const pins = [pinOf(caPem)]
  const read = async (): Promise<ClusterInfo> => info
  await assert.rejects(
    discover(read, parseToken('zzzzzz.0123456789abcdef'), pins),
    /is invalid for this cluster or it has expired/,
  )
  await assert.rejects(discover(read, parseToken('abcdef.0000000000000000'), pins), /did not sign the cluster-info/)
  const other = [`sha256:${'0'.repeat(64)}`]
  await assert.rejects(
    discover(read, token, other),
    /is not the one that was pinned: its public key has the hash "sha256:/,
  )
  const changed = async (): Promise<ClusterInfo> => ({ ...info, kubeconfig: `${info['kubeconfig']} ` })
  await assert.rejects(discover(changed, token, pins), /did not sign the cluster-info/)
  await assert.rejects(
    discover(async () => ({}), token, pins),
    /holds no kubeconfig/,
  )
})

test('parseToken() and parsePin() say what they expect', () => {
  assert.throws(() => parseToken('abc'), /is not of the form "abcdef\.0123456789abcdef"/)
  assert.throws(() => parsePin('md5:00'), /invalid hash "md5:00", expected "sha256:"/)
})
