// What a signer may answer a node: once, wholly, and with times that the node can renew by.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WriteContext } from '../kind-row.ts'
import type { PodCertificateRequest } from '../types/certificates-v1beta1.ts'
import { podCertificateRequestRules } from './pod-certificate-request.ts'

type Status = NonNullable<PodCertificateRequest['status']>

const nowMs = Date.parse('2026-01-01T00:00:00Z')
const at = (minutes: number): string => new Date(nowMs + minutes * 60_000).toISOString()
const condition = (type: string, status = 'True') => ({
  type,
  status,
  reason: 'Because',
  message: '',
  lastTransitionTime: at(0),
})
const chain = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'
const issued: Status = {
  conditions: [condition('Issued')],
  certificateChain: `# the pod's\n${chain}${chain}`,
  notBefore: at(-1),
  beginRefreshAt: at(30),
  notAfter: at(120),
}

function faults(status: Status, before?: Status): readonly string[] {
  const spec = {
    signerName: 'example.com/mesh',
    podName: 'p',
    maxExpirationSeconds: 9000,
  } as PodCertificateRequest['spec']
  const request: PodCertificateRequest = { metadata: { name: 'req-1' }, spec }
  const found = podCertificateRequestRules.subresourceUpdates!['status']!.validateUpdate(
    { ...request, status },
    before === undefined ? request : { ...request, status: before },
    { nowMs } as WriteContext,
  )
  return found.map(({ field, message }) => `${field}: ${message}`)
}

test('a request is issued, denied or failed once, in a whole answer', () => {
  assert.deepEqual(faults(issued), [])
  assert.deepEqual(faults({ conditions: [condition('Denied')] }), [])
  assert.deepEqual(faults(issued, issued), [])
  assert.deepEqual(faults({}, {}), [])
})

test('what a signer may not answer is refused in upstream’s words', () => {
  const { notBefore: _, beginRefreshAt: __, ...halved } = issued
  for (const [words, status, before] of [
    [/^status\.conditions\[0\]\.type: Unsupported value: "Done"/, { conditions: [condition('Done')] }],
    [/^status\.conditions\[0\]\.status: Unsupported value: "False"/, { conditions: [condition('Denied', 'False')] }],
    [
      /^status\.conditions\[1\]\.type: Invalid value: "Failed": There may be at most one/,
      { conditions: [condition('Denied'), condition('Failed')] },
    ],
    [/^status: .*immutable after PodCertificateRequest is issued/, { conditions: [condition('Denied')] }, issued],
    [/^status: .*non-condition status fields must be empty/, { ...issued, conditions: [condition('Failed')] }],
    [/^status: .*immutable unless transitioning to "Issued", "Denied", or "Failed"/, { certificateChain: chain }],
    [/at least one certificate$/, { ...issued, certificateChain: 'none' }],
    [/consist entirely of CERTIFICATE PEM blocks$/, { ...issued, certificateChain: chain.replaceAll('CERT', 'CART') }],
    [/^status\.certificateChain: Too long/, { ...issued, certificateChain: chain.repeat(2_000) }],
    [/^status\.notBefore: Required value.*\nstatus\.beginRefreshAt: Required value/, halved],
    [/within 5 minutes of kube-apiserver's current time$/, { ...issued, notBefore: at(6), notAfter: at(120) }],
    [/lifetime must be >= 1 hour$/, { ...issued, notAfter: at(58) }],
    [/lifetime must be <= spec\.maxExpirationSeconds \(9000\)$/, { ...issued, notAfter: at(150) }],
    [/at least 10 minutes after status\.notBefore$/, { ...issued, beginRefreshAt: at(5) }],
    [/at least 10 minutes before status\.notAfter$/, { ...issued, beginRefreshAt: at(111) }],
  ] as readonly (readonly [RegExp, Status, Status?])[])
    assert.match(faults(status, before).join('\n'), words)
})
