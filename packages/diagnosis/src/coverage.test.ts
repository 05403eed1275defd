// docs/coverage/diagnosis.md says what the scenarios and the tests of the detectors show. Run with AKSEL_WRITE=1 to write it anew.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { scenarios } from './scenarios/all.ts'

const page = new URL('../../../docs/coverage/diagnosis.md', import.meta.url)
const detectors = new URL('detectors/', import.meta.url)

/** Findings that no test cluster can be brought to, and the test that shows them. */
const judged: readonly (readonly [string, string, string])[] = [
  [
    'taints that the pod does not tolerate',
    'pending/taints',
    'a taint that the pod does not tolerate is in the way only where no other node is left',
  ],
  [
    'nodes that the cluster has marked as unfit',
    'pending/nodes-unwell',
    'nodes that the cluster itself has marked as unfit are told as such',
  ],
  ['cordoned nodes', 'pending/cordoned', 'cordoned nodes and no nodes at all'],
  ['no nodes at all', 'pending/no-nodes', 'cordoned nodes and no nodes at all'],
  [
    'an autoscaler of nodes without room',
    'pending/insufficient-resources',
    'an autoscaler of nodes that has no room is told with what is short',
  ],
  ['a volume whose zone has no node left', 'pending/volume-zone', 'a volume whose zone has no node left'],
  ['a node that is silent', 'nodes/silent', 'nodes that are silent or under pressure'],
  ['a node under pressure', 'nodes/disk-pressure', 'nodes that are silent or under pressure'],
  ['an evicted pod', 'nodes/evicted', 'an evicted pod says what its node was low on'],
  ['an autoscaler at its maximum', 'performance/autoscaler-at-maximum', 'an autoscaler at its maximum'],
  [
    'memory near its limit',
    'performance/memory-near-limit',
    'memory near its limit, and a neighbour that takes all the CPU',
  ],
  ['a noisy neighbour', 'performance/noisy-neighbour', 'memory near its limit, and a neighbour that takes all the CPU'],
  [
    'a certificate in a secret that is over',
    'access/certificate-expired',
    'certificates in secrets that are over, end soon, or last',
  ],
  [
    'a certificate in a secret that ends soon',
    'access/certificate-expires-soon',
    'certificates in secrets that are over, end soon, or last',
  ],
  [
    'a signing request that nobody approves',
    'access/certificate-not-approved',
    'a certificate that nobody approves, and one that was denied',
  ],
  [
    'a signing request that was denied',
    'access/certificate-refused',
    'a certificate that nobody approves, and one that was denied',
  ],
  ['a pod that cannot end', 'workloads/pod-stuck', 'a pod that cannot end because its node does not answer'],
]

function rendered(): string {
  const caused = scenarios.map(({ name, finds }) => `| ${name} | \`${finds}\` | caused |`)
  const rest = judged.map(([name, id, title]) => `| ${name} | \`${id}\` | judged: ${title} |`)
  return [
    '# Diagnosis',
    '',
    '`aksel diagnose` over each fault. `caused`: the fault is made in a cluster of real containers and found there',
    '(`tests/e2e/diagnosis.test.ts`), beside a cluster that is well, in which nothing is found. `judged`: shown on made-up objects',
    '(`packages/diagnosis/src/diagnose.test.ts`). A login that is over, refused or of another issuer is caused as well.',
    '',
    'Not there yet: security groups and routes, addresses that are used up, probes of load balancers, fairness of the API server,',
    'and causes that only traces or metrics over time tell.',
    '',
    '| Fault | Finding | Shown |',
    '| --- | --- | --- |',
    ...caused,
    ...rest,
    '',
  ].join('\n')
}

void test('docs/coverage/diagnosis.md is what the scenarios and tests say', () => {
  const wanted = rendered()
  if (process.env['AKSEL_WRITE'] === '1') writeFileSync(page, wanted)
  assert.equal(readFileSync(page, 'utf8'), wanted)
})

void test('each test that the table names exists, and each finding of a scenario is one that a detector can make', () => {
  const tests = readFileSync(new URL('diagnose.test.ts', import.meta.url), 'utf8')
  for (const [, , title] of judged) assert.ok(tests.includes(`'${title}'`), title)
  const source = readdirSync(detectors)
    .map((file) => readFileSync(new URL(file, detectors), 'utf8'))
    .join('\n')
  for (const { finds } of scenarios) {
    const [family, cause] = finds.split('/') as [string, string]
    assert.ok(source.includes(`'${finds}'`) || source.includes(`'${cause}'`) || source.includes(`${family}/\${`), finds)
  }
})
