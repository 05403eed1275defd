// Trust anchors by name and by signer, each once, and what is said where there are none.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { ClusterTrustBundle } from '@aksel/api/types/certificates-v1beta1'
import { createAuthority } from '@aksel/runtime/pki'
import { testScope } from '../testing/test-scope.ts'
import { trustAnchors } from './trust-bundle.ts'

let [one, two, three]: readonly string[] = []

before(async () => {
  using scope = testScope()
  const made = ['one', 'two', 'three'].map((commonName) => createAuthority(scope, { commonName, years: 1 }))
  ;[one, two, three] = (await Promise.all(made)).map(({ certificatePem }) => certificatePem.trim())
})

const bundle = (
  name: string,
  trustBundle: string,
  signerName?: string,
  labels?: Readonly<Record<string, string>>,
): ClusterTrustBundle => ({
  metadata: { name, ...(labels === undefined ? {} : { labels }) },
  spec: { trustBundle, ...(signerName === undefined ? {} : { signerName }) },
})

const sorted = (all: readonly string[]): readonly string[] => all.toSorted((left, right) => (left < right ? -1 : 1))

const certificates = (pem: string): readonly string[] =>
  sorted(pem.match(/-----BEGIN[^]*?-----END CERTIFICATE-----/g) ?? [])

test('a bundle by its name gives its certificates, without what stands between them', () => {
  const known = [bundle('a', `# first\n${one}\n# second\n${two}\n${one}\n`), bundle('b', three!)]
  const given = trustAnchors(known, { name: 'a' })
  assert.deepEqual(certificates(given), sorted([one!, two!]))
  assert.doesNotMatch(given, /#/)
  assert.ok(given.endsWith('-----\n'))
})

test('bundles of a signer are chosen by labels: an empty selector takes all, an absent one none', () => {
  const signer = 'example.com/mesh'
  const known = [
    bundle('example.com:mesh:live', `${one}\n${two}`, signer, { stage: 'live' }),
    bundle('example.com:mesh:next', `${two}\n${three}`, signer, { stage: 'next' }),
    bundle('other', three!, 'example.com/other', { stage: 'live' }),
  ]
  const of = (labelSelector?: object): readonly string[] =>
    certificates(
      trustAnchors(known, {
        signerName: signer,
        ...(labelSelector === undefined ? {} : { labelSelector }),
        optional: true,
      }),
    )
  assert.deepEqual(of({ matchLabels: { stage: 'live' } }), sorted([one!, two!]))
  assert.deepEqual(of({}), sorted([one!, two!, three!]))
  assert.deepEqual(of(), [])
  assert.equal(
    trustAnchors(known, { signerName: signer, labelSelector: {} }),
    trustAnchors(known.toReversed(), { signerName: signer, labelSelector: {} }),
    'the order of bundles changes no file',
  )
})

test('what is missing is said in the kubelet’s words, and is empty where it is optional', () => {
  assert.throws(
    () => trustAnchors([], { name: 'a' }),
    /^Error: while getting ClusterTrustBundle: clustertrustbundle\.certificates\.k8s\.io "a" not found$/,
  )
  assert.throws(
    () => trustAnchors([], { signerName: 'example.com/mesh', labelSelector: {} }),
    /combination of signerName and labelSelector matched zero ClusterTrustBundles/,
  )
  assert.equal(trustAnchors([], { name: 'a', optional: true }), '')
  assert.equal(trustAnchors([], { signerName: 'example.com/mesh', optional: true }), '')
  assert.throws(() => trustAnchors([], {}), /requires either name or signerName/)
  assert.throws(() => trustAnchors(undefined, { name: 'a', optional: true }), /does not serve clustertrustbundles/)
})
