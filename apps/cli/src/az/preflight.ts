// `az aks upgrade --preflight`: what would stop an upgrade, for people and for pipelines: an exit code, a table, JUnit.

import { writeFileSync } from 'node:fs'
import { AzError } from './az-error.ts'
import { clusterPath, type ClusterFlags } from './cluster-path.ts'
import type { Session } from './session.ts'

export interface PreflightFlags extends ClusterFlags {
  readonly kubernetesVersion?: string
  readonly controlPlaneOnly?: boolean
  readonly junit?: string
}

interface Issue {
  readonly issueType: string
  readonly severity: 'Blocking' | 'Warning'
  readonly code: string
  readonly message: string
  readonly impactedResource: string
  readonly recommendedActions: readonly string[]
}

export interface Insight {
  readonly upgradeInsight: string
  readonly detectedIssues: readonly Issue[]
  readonly aksel: { readonly targetKubernetesVersion: string; readonly checks: readonly string[] }
}

/** Prints what was found; throws where something blocks, so that the exit code is 1. */
export async function preflight(session: Session, flags: PreflightFlags): Promise<unknown> {
  const query = new URLSearchParams({
    'api-version': '2026-05-02-preview',
    ...(flags.kubernetesVersion === undefined ? {} : { targetKubernetesVersion: flags.kubernetesVersion }),
    ...(flags.controlPlaneOnly === true ? { controlPlaneOnly: 'true' } : {}),
  })
  const path = `${clusterPath(session, flags)}/upgradeInsights/default/evaluate?${query.toString()}`
  const { body } = await session.arm().send<Insight>({ method: 'POST', path })
  const report = junitOf(flags.name, body)
  if (flags.junit !== undefined) writeFileSync(flags.junit, report)
  if (flags.output === 'junit') session.terminal.out(report)
  const blocking = body.detectedIssues.filter(({ severity }) => severity === 'Blocking')
  if (blocking.length === 0) return flags.output === 'junit' ? undefined : rows(body, flags)
  throw new AzError(
    [
      `The upgrade of ${flags.name} to ${body.aksel.targetKubernetesVersion} would be stopped:`,
      ...blocking.map(
        ({ code, message, recommendedActions }) => `(${code}) ${message} ${recommendedActions.join(' ')}`,
      ),
    ].join('\n'),
  )
}

function rows(insight: Insight, flags: PreflightFlags): unknown {
  if (flags.output !== 'table') return insight
  return insight.aksel.checks.map((check) => {
    const found = insight.detectedIssues.filter(({ issueType }) => issueType === check)
    return { Check: check, Result: found.length === 0 ? 'Passed' : found[0]!.severity, Issues: found.length }
  })
}

/** One test case per check; warnings are told and do not fail. */
export function junitOf(cluster: string, { detectedIssues, aksel }: Insight): string {
  const failures = aksel.checks.filter((check) =>
    detectedIssues.some(({ issueType, severity }) => issueType === check && severity === 'Blocking'),
  )
  const cases = aksel.checks.map((check) => {
    const found = detectedIssues.filter(({ issueType }) => issueType === check)
    const inner = found.map((issue) => {
      const text = escaped(`${issue.impactedResource}: ${issue.message} ${issue.recommendedActions.join(' ')}`)
      return issue.severity === 'Blocking'
        ? `      <failure type="${escaped(issue.code)}" message="${escaped(issue.message)}">${text}</failure>\n`
        : `      <system-out>Warning: ${text}</system-out>\n`
    })
    const open = `    <testcase classname="aks.upgrade.${escaped(cluster)}" name="${check}" time="0"`
    return inner.length === 0 ? `${open}/>\n` : `${open}>\n${inner.join('')}    </testcase>\n`
  })
  const counts = `tests="${aksel.checks.length}" failures="${failures.length}"`
  const name = escaped(`upgrade of ${cluster} to ${aksel.targetKubernetesVersion}`)
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${counts}>\n  <testsuite name="${name}" ${counts}>\n${cases.join('')}  </testsuite>\n</testsuites>\n`
}

function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replaceAll(/[&<>"]/g, (char) => names[char]!)
}
