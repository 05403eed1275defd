// Which webhooks and policies a request concerns: rules, then selectors.

import type { KindRow } from '@aksel/api/kind-row'
import type { LabelSelector } from '@aksel/api/types/meta-v1'
import type { RuleWithOperations } from '@aksel/api/types/admissionregistration-v1'
import { isEmptySelector, selectorPicks } from '@aksel/api/validation/selectors'
import { notFoundError } from '../../refusals.ts'
import type { AdmissionContext, AdmissionRequest } from '../admission.ts'

const exempt: ReadonlySet<string> = new Set([
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
])

/** The objects that say who is asked are asked about by nobody: a bad one can always be taken away. */
export function isExempt({ row }: AdmissionRequest): boolean {
  return row.group === 'admissionregistration.k8s.io' && exempt.has(row.plural)
}

export interface NamedRule extends RuleWithOperations {
  readonly resourceNames?: readonly string[]
}

export interface Match {
  readonly rules: readonly NamedRule[] | undefined
  readonly excluded?: readonly NamedRule[] | undefined
  readonly matchPolicy: string | undefined
  readonly namespaceSelector: LabelSelector | undefined
  readonly objectSelector: LabelSelector | undefined
}

/**
 * The row in whose version the request is shown, or undefined where it is not concerned. Rules go first: they are cheap.
 * Throws where the namespace is gone.
 */
export async function matchingRow(
  match: Match,
  request: AdmissionRequest,
  context: AdmissionContext,
): Promise<KindRow | undefined> {
  const row = rowByRules(match, request, context)
  if (row === undefined) return undefined
  if (!isPickedByObject(match.objectSelector, request)) return undefined
  return (await isPickedByNamespace(match.namespaceSelector, request, context)) ? row : undefined
}

/** As above without selectors; a binding without rules takes whatever its policy takes. */
export function rowByRules(match: Match, request: AdmissionRequest, context: AdmissionContext): KindRow | undefined {
  if ((match.excluded ?? []).some((rule) => matchesVersions(rule, match, request, context) !== undefined))
    return undefined
  for (const rule of match.rules ?? []) if (isRuleFor(rule, request, request.row)) return request.row
  if (match.matchPolicy === 'Exact') return undefined
  for (const rule of match.rules ?? []) {
    const row = matchesVersions(rule, match, request, context)
    if (row !== undefined) return row
  }
  return undefined
}

function matchesVersions(
  rule: NamedRule,
  match: Match,
  request: AdmissionRequest,
  context: AdmissionContext,
): KindRow | undefined {
  if (isRuleFor(rule, request, request.row)) return request.row
  if (match.matchPolicy === 'Exact') return undefined
  return equivalents(request.row, context).find((row) => isRuleFor(rule, request, row))
}

/** Rows that serve the same objects in other versions or groups. */
function equivalents(row: KindRow, { kinds }: AdmissionContext): readonly KindRow[] {
  return kinds.rows.filter(
    (one) => one !== row && one.storagePrefix === row.storagePrefix && one.kind === row.kind && !one.virtual,
  )
}

function isRuleFor(rule: NamedRule, request: AdmissionRequest, row: KindRow): boolean {
  const { operation, subresource, name, object } = request
  const names = rule.resourceNames ?? []
  return (
    has(rule.operations, operation) &&
    has(rule.apiGroups, row.group) &&
    has(rule.apiVersions, row.version) &&
    (rule.resources ?? []).some((resource) => isResource(resource, row.plural, subresource)) &&
    isInScope(rule.scope, request) &&
    (names.length === 0 || names.includes(name === '' ? (object?.metadata.name ?? '') : name))
  )
}

function has(words: readonly string[] | undefined, word: string): boolean {
  return words !== undefined && (words.includes('*') || words.includes(word))
}

function isResource(pattern: string, plural: string, subresource: string): boolean {
  const [resource, sub = ''] = pattern.split('/') as [string, string?]
  return (resource === '*' || resource === plural) && (sub === '*' || sub === subresource)
}

function isInScope(scope: string | undefined, { row }: AdmissionRequest): boolean {
  if (scope === undefined || scope === '*') return true
  return (scope === 'Namespaced') === row.namespaced
}

function isPickedByObject(selector: LabelSelector | undefined, { object, old, body }: AdmissionRequest): boolean {
  if (selector === undefined || isEmptySelector(selector)) return true
  const shown = body === undefined ? object : (body.object as typeof object)
  return [shown, old].some((one) => one !== undefined && selectorPicks(selector, one.metadata?.labels ?? {}))
}

async function isPickedByNamespace(
  selector: LabelSelector | undefined,
  request: AdmissionRequest,
  context: AdmissionContext,
): Promise<boolean> {
  if (selector === undefined || isEmptySelector(selector)) return true
  const { row, namespace, object, old } = request
  if (row.group === '' && row.plural === 'namespaces') {
    return selectorPicks(selector, (object ?? old)?.metadata.labels ?? {})
  }
  if (!row.namespaced) return true
  const found = await namespaceOf(namespace, context)
  if (found === undefined) throw notFoundError({ group: '', plural: 'namespaces' }, namespace)
  return selectorPicks(selector, found.metadata.labels ?? {})
}

export async function namespaceOf(
  name: string,
  { records, kinds }: AdmissionContext,
): Promise<{ readonly metadata: { readonly labels?: Readonly<Record<string, string>> } } | undefined> {
  return (await records.get(kinds.find('', 'v1', 'namespaces')!, '', name))?.object
}
