// Decisions over plain objects: what a table test of the scheduler gives and asks.

import assert from 'node:assert/strict'
import type { Node, Pod, PodSpec } from '@aksel/api/types/core-v1'
import { Decider, type Decision } from '../decider.ts'
import { defaultProfile } from '../profile.ts'
import { plainObjects, type PlainObjects } from './plain-objects.ts'

export interface Given extends PlainObjects {
  readonly nodes: readonly Node[]
  readonly standing?: readonly Pod[]
}

export function node(
  name: string,
  more: { labels?: Record<string, string>; spec?: Node['spec']; cpu?: string; pods?: string } = {},
): Node {
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...more.labels } },
    spec: more.spec ?? {},
    status: { allocatable: { cpu: more.cpu ?? '2', memory: '4Gi', pods: more.pods ?? '10' } },
  }
}

export function pod(name: string, spec: Partial<PodSpec> = {}, labels: Record<string, string> = {}): Pod {
  return {
    metadata: { name, namespace: 'default', labels },
    spec: { containers: [{ name: 'c', image: 'i', resources: {} }], ...spec },
  }
}

export function asking(requests: Record<string, string>): Partial<PodSpec> {
  return { containers: [{ name: 'c', image: 'i', resources: { requests } }] }
}

export function on(nodeName: string, standing: Pod): Pod {
  return { ...standing, spec: { ...standing.spec, nodeName } }
}

export function decided(wanted: Pod, given: Given): Decision {
  const decider = new Decider(plainObjects(given), [defaultProfile()])
  for (const each of given.nodes) decider.state.setNode(each)
  for (const each of given.standing ?? []) decider.state.setPod(each)
  return decider.explain(wanted)
}

export function chosen(wanted: Pod, given: Given): string {
  const decision = decided(wanted, given)
  assert.equal(decision.kind, 'fits', decision.kind === 'fits' ? '' : decision.message)
  return decision.kind === 'fits' ? decision.nodeName : ''
}

export function refused(wanted: Pod, given: Given): string {
  const decision = decided(wanted, given)
  assert.equal(decision.kind, 'unschedulable')
  return decision.kind === 'unschedulable' ? decision.message : ''
}
