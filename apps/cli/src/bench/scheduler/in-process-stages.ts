// The stages that calls inside the process pass: all but TLS and the proof of who calls, shown by asking.

import type { InProcessCluster } from '@aksel/testing/in-process-cluster'
import { CommandError } from '../../command-error.ts'
import type { StageReport } from '../stages.ts'

/** Throws where RBAC, validation or audit was not seen: a figure without them is one that no user has. */
export async function proveInProcess(cluster: InProcessCluster): Promise<StageReport> {
  const within = `/api/v1/namespaces/${cluster.namespace}`
  const before = cluster.audited()
  const forbidden = await cluster.status('GET', '/api/v1/namespaces/kube-system/secrets')
  const invalid = await cluster.status('POST', `${within}/configmaps`, { metadata: { name: 'Bad_Name' } })
  const admitted = await cluster.status('POST', `${within}/pods?dryRun=All`, {
    metadata: { name: 'probe' },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  })
  const mark = 'proof-of-durability'
  const created = await cluster.status('POST', `${within}/configmaps`, { metadata: { name: mark } })
  const stored = created.status === 201 && (await cluster.isStored(mark))
  const entries = cluster.audited() - before
  const report: StageReport = {
    tls: { ran: false, evidence: 'calls inside the process' },
    authentication: { ran: false, evidence: 'the caller is handed in with its groups' },
    rbac: { ran: forbidden.status === 403, evidence: `secrets of kube-system: ${forbidden.status}` },
    flowControl: {
      ran: admitted.status < 500,
      evidence: 'a seat is taken for every short request that is not of masters',
    },
    admission: {
      ran: admitted.text.includes('tolerationSeconds'),
      evidence: `a pod gets its tolerations: ${admitted.status}`,
    },
    validation: { ran: invalid.status === 422, evidence: `a bad name: ${invalid.status}` },
    audit: { ran: entries >= 4, evidence: `${entries} entries for 4 requests` },
    durability: { ran: stored, evidence: stored ? 'an acknowledged object stands in the store’s files' : 'not found' },
  }
  const missing = (['rbac', 'validation', 'audit', 'durability'] as const).filter((name) => !report[name].ran)
  if (missing.length > 0)
    throw new CommandError(
      `These requests do not pass ${missing.map((name) => `${name} (${report[name].evidence})`).join(', ')}`,
    )
  return report
}
