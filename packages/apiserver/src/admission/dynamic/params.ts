// The parameters of a policy's binding: objects by name or by labels, in the request's namespace or a fixed one.

import type { KindRow } from '@aksel/api/kind-row'
import { groupVersionOf, type KubernetesObject } from '@aksel/api/resource'
import type { ParamKind, ParamRef } from '@aksel/api/types/admissionregistration-v1'
import { isEmptySelector, selectorPicks } from '@aksel/api/validation/selectors'
import type { AdmissionContext } from '../admission.ts'

/** A configuration that cannot be used: the failure policy decides. */
export class ParamsError extends Error {}

/** undefined stands for "no parameters"; an empty list for "nothing to do". Throws ParamsError. */
export async function collectParams(
  kind: ParamKind | undefined,
  ref: ParamRef | undefined,
  requestNamespace: string,
  context: AdmissionContext,
): Promise<readonly (KubernetesObject | undefined)[]> {
  if (kind === undefined || ref === undefined) return [undefined]
  const row = rowOf(kind, context)
  if (row === undefined) {
    throw new ParamsError(`paramKind kind \`${kind.apiVersion ?? ''}, Kind=${kind.kind ?? ''}\` not known`)
  }
  const namespace = namespaceFor(row, ref, requestNamespace)
  const found = await findParams(row, ref, namespace, context)
  if (found.length === 0 && ref.parameterNotFoundAction === 'Deny') {
    throw new ParamsError('no params found for policy binding with `Deny` parameterNotFoundAction')
  }
  return found
}

function rowOf({ apiVersion, kind }: ParamKind, { kinds }: AdmissionContext): KindRow | undefined {
  return kinds.rows.find((row) => row.kind === kind && groupVersionOf(row) === apiVersion && !row.virtual)
}

function namespaceFor(row: KindRow, ref: ParamRef, requestNamespace: string): string {
  const named = ref.namespace ?? ''
  if (!row.namespaced) {
    if (named !== '') throw new ParamsError('paramRef.namespace must not be provided for a cluster-scoped `paramKind`')
    return ''
  }
  if (named !== '') return named
  if (requestNamespace === '') {
    throw new ParamsError('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources')
  }
  return requestNamespace
}

async function findParams(
  row: KindRow,
  ref: ParamRef,
  namespace: string,
  { records }: AdmissionContext,
): Promise<readonly KubernetesObject[]> {
  if (ref.name !== undefined && ref.name !== '') {
    const record = await records.get(row, namespace, ref.name)
    return record === undefined ? [] : [record.object]
  }
  const selector = ref.selector
  const objects = (await records.list(row, namespace)).map(({ object }) => object)
  if (selector === undefined || isEmptySelector(selector)) return objects
  return objects.filter(({ metadata }) => selectorPicks(selector, metadata.labels ?? {}))
}
