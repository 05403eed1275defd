// Which policies a request meets, through which bindings, with which parameters.

import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import { ApiError } from '@aksel/base/errors'
import type { AdmissionContext, AdmissionRequest } from '../admission.ts'
import type { CachedList } from './cached-list.ts'
import { matchingRow, type Match } from './matching.ts'
import { collectParams, ParamsError } from './params.ts'
import { matchOf, type Binding, type Policy, type PolicyHook } from './policy-source.ts'

export interface Invocation<P extends Policy, B extends Binding> {
  readonly hook: PolicyHook<P, B>
  readonly binding: B
  readonly row: KindRow
  readonly params: readonly (KubernetesObject | undefined)[]
}

/** A policy or binding that cannot be used for this request. */
export interface Misconfiguration<P extends Policy, B extends Binding> {
  readonly hook: PolicyHook<P, B>
  readonly binding: B | undefined
  readonly message: string
}

export interface Found<P extends Policy, B extends Binding> {
  readonly invocations: readonly Invocation<P, B>[]
  readonly wrong: readonly Misconfiguration<P, B>[]
}

export async function findInvocations<P extends Policy, B extends Binding>(
  source: CachedList<PolicyHook<P, B>>,
  request: AdmissionRequest,
  context: AdmissionContext,
): Promise<Found<P, B>> {
  const invocations: Invocation<P, B>[] = []
  const wrong: Misconfiguration<P, B>[] = []
  for (const hook of await source.get()) {
    let row: KindRow | undefined
    try {
      row = await matchingRow(hook.match, request, context)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      wrong.push({ hook, binding: undefined, message: `failed to configure policy: ${error.message}` })
      continue
    }
    if (row === undefined) continue
    for (const binding of hook.bindings) {
      try {
        if (!(await bindingMatches(binding, request, context))) continue
        const { paramKind } = hook.policy.spec
        const params = await collectParams(paramKind, binding.spec.paramRef, request.namespace, context)
        invocations.push({ hook, binding, row, params })
      } catch (error) {
        if (!(error instanceof ParamsError) && !(error instanceof ApiError)) throw error
        wrong.push({ hook, binding, message: `failed to configure binding: ${error.message}` })
      }
    }
  }
  return { invocations, wrong }
}

async function bindingMatches(
  binding: Binding,
  request: AdmissionRequest,
  context: AdmissionContext,
): Promise<boolean> {
  const { matchResources } = binding.spec
  if (matchResources === undefined) return true
  const match: Match = matchOf(matchResources)
  if ((match.rules ?? []).length > 0) return (await matchingRow(match, request, context)) !== undefined
  // Without rules a binding takes what its policy takes, less what it leaves out.
  const everything: Match = {
    ...match,
    rules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }],
  }
  return (await matchingRow(everything, request, context)) !== undefined
}
